"""Synaptics' synap_cli: models compiled for the NPU beforehand, by Synaptics' own converter.

The converter comes with a license and a container of its own, so the user names its command.
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
    """``converter`` makes model.synap on this machine."""

    program: Program
    #: synap_cli_ip, which writes the image that a model makes
    image_program: Program
    converter: Converter
    runs: int
    profile_runs: int
    suffix = ".synap"

    @property
    def title(self) -> str:
        return "synap_cli"

    def prepare(self, tflite: bytes) -> bytes:
        """DeviceError, with what the converter printed, if it fails."""
        return self.converter.convert(tflite)

    def time(self, connection: Connection, path: str) -> TimedRun:
        text = self.program.call(connection, f"-m {path} -r {self.runs} random").text
        return TimedRun(read_synap_timings(text), text)

    def place(
        self, connection: Connection, path: str, run: TimedRun, operators: Sequence[LoweredOperator]
    ) -> Placement:
        """All on the NPU, since the converter refuses what the NPU cannot run.

        Its layers are fused: their times stand beside the rows, and do not make them.
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
        """By synap_cli_ip, whose images are grey levels, whatever bytes the model has for them.

        Its converter must have been told that input and output are RGB.
        """
        form = require_super_resolution(model)
        low, folder = form.input, posixpath.dirname(path)
        high = replace(low, height=low.height * form.scale, width=low.width * form.scale)
        given = f"{folder}/image_{low.width}x{low.height}.rgb"
        connection.push(_xor(image, form.levels.black), given)
        self.image_program.call(connection, f"-m {path} --out-dir {folder} {given}")
        made = connection.pull(f"{folder}/outimage0_{high.width}x{high.height}.rgb")
        return _xor(made, form.levels.black)


def _xor(image: bytes, black: int) -> bytes:
    """Bytes of a model to grey levels, or back: level g is byte g + ``black``, in eight bits."""
    return image.translate(bytes(byte ^ black % 256 for byte in range(256)))
