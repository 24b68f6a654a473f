"""Synaptics' synap_cli: models compiled for the NPU beforehand, by Synaptics' own converter.

The converter comes with a license and a container of its own, so the user names its command.
"""

from __future__ import annotations

import posixpath
import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from search_spaces import LoweredOperator

from ...tflite.requests import TfliteModel, require_super_resolution
from .connection import Connection
from .errors import DeviceError
from .placement import Placement, placed_whole
from .runner import Program, Runner, TimedRun
from .synap_output import read_npu_layers, read_synap_timings, summed_by_kind

_COMPILED = "model.synap"
_PLACE = re.compile(r"\{model\}|\{folder\}")


def filled_in(convert: Sequence[str], model: str, folder: str) -> list[str]:
    """The converter's words with {model} and {folder}; any other brace stands for itself."""
    values = {"{model}": model, "{folder}": folder}
    return [_PLACE.sub(lambda match: values[match[0]], word) for word in convert]


@dataclass(frozen=True)
class SynapCli(Runner):
    """``convert`` is a command of this machine that makes FOLDER/model.synap.

    Its words may hold {model} and {folder}.
    """

    program: Program
    #: synap_cli_ip, which writes the image that a model makes
    image_program: Program
    convert: tuple[str, ...]
    runs: int
    profile_runs: int
    convert_timeout_seconds: float
    suffix = ".synap"

    @property
    def title(self) -> str:
        return "synap_cli"

    def prepare(self, tflite: bytes) -> bytes:
        """DeviceError, with what the converter printed, if it fails."""
        with tempfile.TemporaryDirectory(prefix="nas-synap-") as name:
            folder = Path(name)
            model = folder / "model.tflite"
            model.write_bytes(tflite)
            words = filled_in(self.convert, str(model), str(folder))
            try:
                done = subprocess.run(
                    words, capture_output=True, text=True, errors="replace", check=False,
                    timeout=self.convert_timeout_seconds,
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                raise DeviceError(
                    f"{words[0]}: no end within {self.convert_timeout_seconds:g} s"
                ) from None
            except OSError as error:
                raise DeviceError(
                    f"{words[0]} cannot be started ({error.strerror}); name Synaptics' converter "
                    "as convert in device.toml"
                ) from None
            compiled = folder / _COMPILED
            if done.returncode or not compiled.is_file():
                raise DeviceError(
                    f"{words[0]} made no {_COMPILED} (exit code {done.returncode})",
                    done.stdout + done.stderr,
                )
            return compiled.read_bytes()

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
