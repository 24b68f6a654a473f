"""Runs TFLite's benchmark_model with NNAPI, an external delegate, the GPU or XNNPACK."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from search_spaces import LoweredOperator

from ...tflite.requests import TfliteModel
from .benchmark_output import read_timings
from .connection import Connection
from .delegation import Delegate, read_delegation
from .errors import DeviceError
from .placement import Placement, placed_by_profile, placed_unprofiled
from .printed import complete_lines
from .profile import read_profile
from .runner import Program, Runner, TimedRun

#: The tool's warning about unknown flags, which it ignores.
_UNKNOWN_FLAGS = re.compile(r"Unconsumed cmdline flags: (.*)")


@dataclass(frozen=True)
class BenchmarkModel(Runner):
    """Times a model with TFLite's benchmark_model.

    The profiler slows a model down; its ``profile_runs`` are therefore separate from the timed
    ``runs``. 0 means no profile.
    """

    program: Program
    delegate: Delegate
    threads: int
    warmup_runs: int
    runs: int
    profile_runs: int
    suffix = ".tflite"

    @property
    def title(self) -> str:
        return f"benchmark_model, {self.delegate.label}"

    def prepare(self, tflite: bytes) -> bytes:
        return tflite

    def time(self, connection: Connection, path: str) -> TimedRun:
        output = self.program.call(connection, self._arguments(path, self.runs))
        return TimedRun(read_timings(output.text), output.text)

    def place(
        self, connection: Connection, path: str, run: TimedRun, operators: Sequence[LoweredOperator]
    ) -> Placement:
        delegation = read_delegation(run.text, self.delegate, len(operators))
        if self.profile_runs:
            arguments = self._arguments(path, self.profile_runs, "--enable_op_profiling=true")
            text = self.program.call(connection, arguments).text
            if profile := read_profile(text):
                delegation = read_delegation(text, self.delegate, len(operators))
                return placed_by_profile(operators, delegation, profile, run.statistics.ms)
        return placed_unprofiled(operators, delegation, run.statistics.ms)

    def run(self, connection: Connection, path: str, model: TfliteModel, image: bytes) -> bytes:
        """Uses flags of recent builds; DeviceError if the tool on the device does not know them."""
        folder = posixpath.dirname(path)
        given, made = f"{folder}/image.bin", f"{folder}/outputs.bin"
        connection.push(image, given)
        arguments = self._arguments(
            path,
            1,
            # The tool accepts any name.
            "--input_layer=image",
            f"--input_layer_shape={','.join(map(str, model.inputs[0].shape))}",
            f"--input_layer_value_files=image:{given}",
            f"--output_filepath={made}",
        )
        text = self.program.call(connection, arguments).text
        unknown = [
            match[1] for line in complete_lines(text) if (match := _UNKNOWN_FLAGS.search(line))
        ]
        if unknown:
            raise DeviceError(
                f"{self.program.path} is too old to write its outputs: it does not know "
                f"{unknown[0]}; put a recent build there, or measure without --verify",
                text,
            )
        read_delegation(text, self.delegate, len(model.operators))
        return connection.pull(made)

    def _arguments(self, path: str, runs: int, *further: str) -> str:
        return shlex.join(
            (
                f"--graph={path}",
                f"--num_threads={self.threads}",
                f"--warmup_runs={self.warmup_runs}",
                f"--num_runs={runs}",
                *self.delegate.flags,
                *further,
            )
        )
