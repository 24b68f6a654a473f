"""TFLite's benchmark_model: NNAPI, external delegates, GPU or XNNPACK."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from search_spaces import LoweredOperator

from .benchmark_output import read_timings
from .connection import Connection
from .delegation import Delegate, read_delegation
from .placement import Placement, placed_by_profile, placed_unprofiled
from .profile import read_profile
from .runner import Program, Runner, TimedRun


@dataclass(frozen=True)
class BenchmarkModel(Runner):
    """Runs with the profiler are apart from those that are timed, since it slows a model down.

    ``profile_runs`` 0: none.
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
        self, connection: Connection, path: str, run: TimedRun, kernels: Sequence[LoweredOperator]
    ) -> Placement:
        delegation = read_delegation(run.text, self.delegate, len(kernels))
        if self.profile_runs:
            arguments = self._arguments(path, self.profile_runs, "--enable_op_profiling=true")
            text = self.program.call(connection, arguments).text
            if profile := read_profile(text):
                delegation = read_delegation(text, self.delegate, len(kernels))
                return placed_by_profile(kernels, delegation, profile, run.statistics.ms)
        return placed_unprofiled(kernels, delegation, run.statistics.ms)

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
