"""Reads the table of layers that rknn-toolkit2 (1.6 and later) prints for a compiled model."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from ...source import LatencyError

#: ID, OpType, DataType, Target, InputShape, OutputShape, Cycles(DDR/NPU/Total), for some platforms
#: MacUsage(%), RW(KB), FullName
_ROW = re.compile(
    r"RKNN: \[[^\]]*\] (\d+)\s+(\S+)\s+\S+\s+(CPU|NPU|GPU|DSP)\s+\S+\s+(\S+)\s+"
    r"(\d+)/(\d+)/(\d+)\s+(?:\d+%\s+)?(\d+(?:\.\d+)?)[^\S\n]*(.*)$",
    re.MULTILINE,
)
#: The first line that child.py prints.
_COMPILER = re.compile(r"^compiler: (rknn-toolkit2 \S+)$", re.MULTILINE)
_SHAPE = re.compile(r"\(([\d,]+)\)")
#: Channels, the second dimension inside the compiler, are stored in blocks of this many.
_BLOCK = 16
#: Activations that the NPU looks up in a table; those of the ReLU family are free.
_LOOKED_UP = ("Swish", "Sigmoid", "Tanh", "Gelu", "Mish", "Elu")


@dataclass(frozen=True)
class Layer:
    """One row of the table: the cost of a layer in units of the compiler."""

    #: kind in RKNN's terms, such as ConvRelu
    op: str
    #: NPU or CPU
    target: str
    #: as printed: (1,28,360,640); of several outputs only the first is printed
    output_shape: str
    #: cycles of the memory and of the multipliers; both 0 for kinds that are not counted
    ddr_cycles: int
    npu_cycles: int
    #: the column RW(KB), which actually only counts what is read
    read_kb: float
    #: name of the operator in the file, modified by the compiler; empty for layers that it added
    name: str = ""

    def __post_init__(self) -> None:
        if min(self.ddr_cycles, self.npu_cycles, self.read_kb) < 0:
            raise LatencyError(f"layer {self.op} {self.name!r} has a negative cost")

    @property
    def is_transfer(self) -> bool:
        """Whether the layer only copies the model's input or output."""
        return self.op in ("InputOperator", "OutputOperator")

    @property
    def written_kb(self) -> float:
        """KB of the outputs, with channels padded to whole blocks.

        If not all shapes are printed, it equals the KB read.
        """
        shape = _SHAPE.search(self.output_shape)
        if shape is None or self.output_shape.endswith("..."):
            return self.read_kb if shape else 0.0
        sides = [int(side) for side in shape[1].split(",") if side]
        blocked = [-(-side // _BLOCK) * _BLOCK if axis == 1 else side
                   for axis, side in enumerate(sides)]  # fmt: skip
        return math.prod(blocked) / 1024

    @property
    def looked_up_kb(self) -> float:
        """KB of the output that are looked up in a table."""
        return self.written_kb if any(part in self.op for part in _LOOKED_UP) else 0.0


@dataclass(frozen=True)
class Compiled:
    """A compiled model: its layers in the order of execution."""

    layers: tuple[Layer, ...]
    #: "rknn-toolkit2 2.5.0"
    compiler: str


def read_compiled(text: str) -> Compiled:
    """Reads the last table in ``text``; LatencyError if it is missing or not as expected."""
    rows = list(_ROW.finditer(text))
    first = max((index for index, row in enumerate(rows) if row[1] == "0"), default=0)
    rows = rows[first:]
    if not rows:
        raise LatencyError("rknn-toolkit2 printed no table of layers")
    if [int(row[1]) for row in rows] != list(range(len(rows))):
        raise LatencyError("rknn-toolkit2's table of layers has gaps: its output has changed")
    for row in rows:
        if int(row[7]) != max(int(row[5]), int(row[6])):
            raise LatencyError(f"rknn-toolkit2's layer {row[1]} adds up to {row[7]}: {row[0]!r}")
    layers = tuple(
        Layer(row[2], row[3], row[4], int(row[5]), int(row[6]), float(row[8]),
              row[9].strip().partition(":")[2])
        for row in rows
    )  # fmt: skip
    return Compiled(layers, read_compiler(text))


def read_compiler(text: str) -> str:
    """Reads the compiler's name and version from its output; LatencyError if they are missing."""
    said = _COMPILER.search(text)
    if said is None:
        raise LatencyError("rknn-toolkit2 does not say its version")
    return said[1]
