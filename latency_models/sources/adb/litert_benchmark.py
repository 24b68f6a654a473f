"""Runs LiteRT's benchmark_model on NPUs, with the vendor's dispatch library and compiler plugin.

It replaces NNAPI, which is deprecated from Android 15 on.
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

#: The operator that represents a compiled part of a model.
_COMPILED = "CUSTOM:DISPATCH_OP"


@dataclass(frozen=True)
class LitertBenchmark(Runner):
    """Times a model with LiteRT's benchmark_model.

    The model is compiled on the device by the plugin in ``plugin_folder``, or on this machine by
    ``converter``. LiteRT does not report which operators it left to the CPU. Therefore only
    QUANTIZE and DEQUANTIZE at the ends of the model are accepted on the CPU.
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
        """The NPU, with the program's flags for it."""
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
        """Returns the model, compiled if there is a converter.

        DeviceError if that fails, OperatorsOnCpu if it leaves essential operators to the CPU.
        """
        if self.converter is None:
            return tflite
        compiled = self.converter.convert(tflite)
        _require_compiled(read_tflite(compiled))
        return compiled

    def arguments(self, path: str) -> str:
        """The program's command line for the model at ``path``."""
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
            f"{self.title} can neither read an image nor write its outputs; compare by "
            "LiteRT's npu_numerics_check, and measure without --verify"
        )


def _require_compiled(model: TfliteModel) -> None:
    """Raises DeviceError or OperatorsOnCpu unless all essential operators were compiled."""
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
