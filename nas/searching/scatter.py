"""A scatter plot of characters for terminals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

_LABEL_WIDTH = 8


@dataclass(frozen=True)
class Mark:
    """A point at (``x``, ``y``), x > 0, shown as one character in a style of rich."""

    x: float
    y: float
    symbol: str
    style: str


def scatter(marks: Sequence[Mark], width: int, height: int, unit: str) -> Text:
    """Draws ``height`` rows of at most ``width`` columns, and two rows of the x axis.

    The x axis is logarithmic, in ``unit``. If several marks share a cell, the last one is drawn.
    Without marks the text is empty.
    """
    if not marks:
        return Text()
    columns = max(1, width - _LABEL_WIDTH - 2)
    across = _Axis.over([math.log(mark.x) for mark in marks], columns)
    down = _Axis.over([mark.y for mark in marks], height)
    grid = [[(" ", "")] * columns for _ in range(height)]
    for mark in marks:
        row = height - 1 - down.cell(mark.y)
        grid[row][across.cell(math.log(mark.x))] = (mark.symbol, mark.style)
    text = Text()
    for row, cells in enumerate(grid):
        labeled = row in (0, height // 2, height - 1)
        label = f"{down.value(height - 1 - row):.2f}" if labeled else ""
        text.append(f"{label:>{_LABEL_WIDTH}} {'┤' if labeled else '│'}", "dim")
        for symbol, style in cells:
            text.append(symbol, style)
        text.append("\n")
    text.append(f"{'':{_LABEL_WIDTH}} └{'─' * columns}\n", "dim")
    text.append(" " * (_LABEL_WIDTH + 2) + _ticks(across, unit), "dim")
    return text


def _ticks(axis: _Axis, unit: str) -> str:
    """Returns labels for the left end, the middle and the right end of the x axis."""
    values = [math.exp(axis.value(cell)) for cell in (0, axis.cells // 2, axis.cells - 1)]
    left, middle, right = (f"{value:.3g}" for value in values)
    right += f" {unit}"
    room = axis.cells - len(left) - len(right)
    return f"{left}{middle:^{max(0, room)}}{right}" if room > len(middle) else left


@dataclass(frozen=True)
class _Axis:
    """An axis from ``low`` to ``high``, divided into ``cells``."""

    low: float
    high: float
    cells: int

    @classmethod
    def over(cls, values: Sequence[float], cells: int) -> _Axis:
        """Returns an axis that covers all ``values``, with a margin if they are all equal."""
        low, high = min(values), max(values)
        margin = 0.05 if low == high else 0.0
        return cls(low - margin, high + margin, cells)

    def cell(self, value: float) -> int:
        return round((value - self.low) / (self.high - self.low) * (self.cells - 1))

    def value(self, cell: int) -> float:
        return self.low + (self.high - self.low) * cell / max(1, self.cells - 1)
