"""Runs Synaptics' synap_cli, which times models that Synaptics' converter compiled for the NPU.

The converter has its own license and container; the user provides its command.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass, replace

from search_spaces import LoweredOperator

from ...tflite.requests import TfliteModel, require_super_resolution
from .connection import Connection
from .converter import Converter
from .errors import DeviceError
from .placement import Placement, placed_whole
from .runner import Program, Runner, TimedRun
from .synap_output import read_npu_layers, read_synap_timings, summed_by_kind


@dataclass(frozen=True)
class SynapCli(Runner):
    """Times a model with synap_cli; ``converter`` writes model.synap on this machine."""

    program: Program
    #: synap_cli_ip, which writes a model's output image
    image_program: Program
    converter: Converter
    runs: int
    profile_runs: int
    suffix = ".synap"

    @property
    def title(self) -> str:
        return "synap_cli"

    def prepare(self, tflite: bytes) -> bytes:
        """Converts the model; DeviceError, with the converter's output, if that fails."""
        return self.converter.convert(tflite)

    def time(self, connection: Connection, path: str) -> TimedRun:
        text = self.program.call(connection, f"-m {path} -r {self.runs} random").text
        return TimedRun(read_synap_timings(text), text)

    def place(
        self, connection: Connection, path: str, run: TimedRun, operators: Sequence[LoweredOperator]
    ) -> Placement:
        """Places all operators on the NPU, since the converter refuses those that it cannot run.

        The profile has times of fused layers, which cannot be assigned to operators; the rule of
        the placement lists them.
        """
        placement = placed_whole(operators, "npu", run.statistics.ms)
        if not self.profile_runs:
            return placement
        profile = f"{path}.profile"
        arguments = f"-m {path} -r {self.profile_runs} --profiling {profile} random"
        self.program.call(connection, arguments)
        written = connection.run(f"cat {profile}", self.program.timeout_seconds).text
        layers = read_npu_layers(written)
        if not layers:
            raise DeviceError(
                "the NPU wrote no profile; convert with --profiling, or set profile_runs = 0",
                written,
            )
        return replace(placement, rule=f"{placement.rule}; NPU layers: {summed_by_kind(layers)}")

    def run(self, connection: Connection, path: str, model: TfliteModel, image: bytes) -> bytes:
        """Runs synap_cli_ip, whose images are uint8 levels 0 to 255, even for int8 models.

        The model must have been converted for RGB input and output.
        """
        io_format = require_super_resolution(model)
        low, folder = io_format.input, posixpath.dirname(path)
        high = replace(low, height=low.height * io_format.scale, width=low.width * io_format.scale)
        given = f"{folder}/image_{low.width}x{low.height}.rgb"
        connection.push(_swap_levels(image, io_format.levels.black), given)
        self.image_program.call(connection, f"-m {path} --out-dir {folder} {given}")
        made = connection.pull(f"{folder}/outimage0_{high.width}x{high.height}.rgb")
        return _swap_levels(made, io_format.levels.black)


def _swap_levels(image: bytes, black: int) -> bytes:
    """Converts bytes of the model to levels 0 to 255, or back: level g is g + ``black`` mod 256."""
    return image.translate(bytes(byte ^ black % 256 for byte in range(256)))
