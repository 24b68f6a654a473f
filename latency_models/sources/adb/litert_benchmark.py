"""LiteRT's benchmark_model: NPUs by their vendor's dispatch library and compiler plugin.

NNAPI is deprecated from Android 15 on; this is what comes after it.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from search_spaces import LoweredOperator

from ...tflite.file import TfliteModel, read_tflite
from .benchmark_output import read_timings
from .connection import Connection
from .converter import Converter
from .delegation import Delegate
from .errors import DeviceError, OperatorsOnCpu
from .litert_npu import read_npu_delegation
from .placement import ESSENTIAL, Placement, placed_unprofiled
from .runner import Program, Runner, TimedRun

#: What a compiler puts in place of the operators that it took.
_COMPILED = "CUSTOM:DISPATCH_OP"


@dataclass(frozen=True)
class LitertBenchmark(Runner):
    """Compiled on the device by the plugin in a folder there, or before by ``converter``.

    LiteRT does not tell which operators it left to the CPU: only those at the ends may be there.
    """

    program: Program
    dispatch_folder: str
    plugin_folder: str | None
    converter: Converter | None
    flags: tuple[str, ...]
    threads: int
    warmup_runs: int
    runs: int
    suffix = ".tflite"

    @property
    def title(self) -> str:
        return "LiteRT benchmark_model, NPU"

    @property
    def npu(self) -> Delegate:
        """How the program is asked for it."""
        plugin = self.plugin_folder
        return Delegate(
            "NPU",
            "npu",
            (
                "--use_npu=true",
                f"--dispatch_library_path={self.dispatch_folder}",
                *((f"--compiler_plugin_library_path={plugin}",) if plugin else ()),
                *self.flags,
            ),
        )

    def prepare(self, tflite: bytes) -> bytes:
        """DeviceError if the converter fails, or leaves to the CPU what counts."""
        if self.converter is None:
            return tflite
        compiled = self.converter.convert(tflite)
        _require_compiled(read_tflite(compiled))
        return compiled

    def arguments(self, path: str) -> str:
        """What the program is called with for the model at ``path``."""
        return shlex.join(
            (
                f"--graph={path}",
                f"--num_threads={self.threads}",
                f"--warmup_runs={self.warmup_runs}",
                f"--num_runs={self.runs}",
                *self.npu.flags,
            )
        )

    def time(self, connection: Connection, path: str) -> TimedRun:
        text = self.program.call(connection, self.arguments(path)).text
        return TimedRun(read_timings(text), text)

    def place(
        self, connection: Connection, path: str, run: TimedRun, operators: Sequence[LoweredOperator]
    ) -> Placement:
        delegation = read_npu_delegation(run.text, self.npu, len(operators))
        remedy = "LiteRT prints none: a time of NPU and CPU together is none of the NPU"
        return placed_unprofiled(operators, delegation, run.statistics.ms, remedy)

    def run(self, connection: Connection, path: str, model: TfliteModel, image: bytes) -> bytes:
        raise DeviceError(
            f"{self.title} neither takes an image nor writes what it makes of one; compare by "
            "LiteRT's npu_numerics_check, and measure without --verify"
        )


def _require_compiled(model: TfliteModel) -> None:
    left = [operator for operator in model.operators if operator.kind != _COMPILED]
    if len(left) == len(model.operators):
        raise DeviceError(
            f"the converter compiled no operator: there is no {_COMPILED} in its file"
        )
    essential = [operator for operator in left if operator.kind in ESSENTIAL]
    if essential:
        named = ", ".join(operator.label for operator in essential[:3])
        raise OperatorsOnCpu(
            f"the converter left {len(essential)} of the operators that count to the CPU: {named}",
            "",
            {operator.kind for operator in essential},
        )
