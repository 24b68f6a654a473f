"""A scatter plot as an SVG, which a browser and a README show alike without a program."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 24, 40, 56
_GRID, _DIAGONAL, _INTERVAL, _MARK = "#ddd", "#888", "#9ab", "#1a6fb5"
_ROUND, _MOST_TICKS = (1, 2, 5), 8
#: pixels of a letter, about, and of a line
_LETTER, _LINE = 6.5, 12.0


@dataclass(frozen=True)
class Point:
    """A dot, the interval of its y, and what is written beside it."""

    x: float
    y: float
    low: float
    high: float
    label: str = ""
    color: str = _MARK


@dataclass(frozen=True)
class Axis:
    """From ``low`` to ``high``; each of ``ticks`` is a number as it is written."""

    title: str
    low: float
    high: float
    ticks: tuple[str, ...]
    logarithmic: bool

    def part(self, value: float) -> float:
        """How far along the axis a value lies, 0 to 1."""
        if self.logarithmic:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


def logarithmic(title: str, values: Sequence[float]) -> Axis:
    """Around positive ``values``, ticks at powers of ten, and between them if there is room."""
    low, high = min(values) / 1.1, max(values) * 1.1
    factors = _ROUND if high < 100 * low else (1,)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [factor * 10.0**power for power in powers for factor in factors]
    shown = tuple(f"{tick:g}" for tick in ticks if low <= tick <= high)
    return Axis(title, low, high, shown, logarithmic=True)


def linear(title: str, values: Sequence[float]) -> Axis:
    """Around ``values``, a few ticks apart by 1, 2 or 5 times a power of ten."""
    margin = 0.1 * (max(values) - min(values)) or 1.0  # all alike: one to each side
    low, high = min(values) - margin, max(values) + margin
    power = math.floor(math.log10((high - low) / _MOST_TICKS))
    steps = [factor * 10.0**power for factor in (*_ROUND, 10)]
    step = next(step for step in steps if (high - low) / step <= _MOST_TICKS)
    ticks = range(math.ceil(low / step), math.floor(high / step) + 1)
    shown = tuple(f"{tick * step:.{max(0, -power)}f}" for tick in ticks)
    return Axis(title, low, high, shown, logarithmic=False)


@dataclass(frozen=True)
class Scatter:
    """Points between two axes; pixels."""

    points: tuple[Point, ...]
    x: Axis
    y: Axis
    width: int
    height: int
    title: str = ""
    #: a line from corner to corner: where x is y
    diagonal: bool = False
    #: colors and what they stand for, in a line above the points
    legend: tuple[tuple[str, str], ...] = ()

    def svg(self) -> str:
        """The picture."""
        middle_x, middle_y = self._x(0.5), self._y(0.5)
        diagonal = _line(self._x(0), self._y(0), self._x(1), self._y(1), _DIAGONAL)
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width}" '
                f'height="{self.height}" viewBox="0 0 {self.width} {self.height}" '
                'font-family="sans-serif" font-size="12">',
                '<rect width="100%" height="100%" fill="white"/>',
                *self._grid(),
                *([diagonal] if self.diagonal else []),
                *map(self._mark, self.points),
                *self._labels(),
                *self._legend(),
                _text(middle_x, 22, self.title, "middle"),
                _text(middle_x, self.height - 14, self.x.title, "middle"),
                f'<g transform="rotate(-90 18 {middle_y:.1f})">'
                f"{_text(18, middle_y, self.y.title, 'middle')}</g>",
                "</svg>",
                "",
            ]
        )

    def _x(self, part: float) -> float:
        return _LEFT + part * (self.width - _LEFT - _RIGHT)

    def _y(self, part: float) -> float:
        return self.height - _BOTTOM - part * (self.height - _TOP - _BOTTOM)

    def _grid(self) -> list[str]:
        lines = []
        for tick in self.x.ticks:
            x = self._x(self.x.part(float(tick)))
            lines.append(_line(x, self._y(0), x, self._y(1), _GRID))
            lines.append(_text(x, self._y(0) + 18, tick, "middle"))
        for tick in self.y.ticks:
            y = self._y(self.y.part(float(tick)))
            lines.append(_line(self._x(0), y, self._x(1), y, _GRID))
            lines.append(_text(self._x(0) - 8, y + 4, tick, "end"))
        return lines

    def _legend(self) -> list[str]:
        x, texts = self._x(0), []
        for color, meaning in self.legend:
            texts.append(_text(x, _TOP - 12, meaning, "start", color))
            x += _LETTER * (len(meaning) + 3)
        return texts

    def _mark(self, point: Point) -> str:
        x = self._x(self.x.part(point.x))
        y, low, high = (self._y(self.y.part(v)) for v in (point.y, point.low, point.high))
        dot = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{point.color}"/>'
        return _line(x, low, x, high, _INTERVAL) + dot

    def _labels(self) -> list[str]:
        """Right of each point; left, above or below where another label is in the way."""
        taken: list[tuple[float, float, float]] = []
        texts = []
        for point in (point for point in self.points if point.label):
            x, y = self._x(self.x.part(point.x)), self._y(self.y.part(point.y)) + 4
            width = _LETTER * len(point.label)
            places = (
                (x + 8, y, "start", x + 8),
                (x - 8, y, "end", x - 8 - width),
                (x, y - 10, "middle", x - width / 2),
                (x, y + 12, "middle", x - width / 2),
            )
            free = [p for p in places if not any(_meet((p[3], p[1], width), box) for box in taken)]
            text_x, text_y, anchor, left = (free or places)[0]
            taken.append((left, text_y, width))
            texts.append(_text(text_x, text_y, point.label, anchor))
        return texts


def _meet(a: tuple[float, float, float], b: tuple[float, float, float]) -> bool:
    """Do two lines of text overlap? Each is its left end, its base line and its width."""
    apart = a[0] + a[2] < b[0] or b[0] + b[2] < a[0]
    return not apart and abs(a[1] - b[1]) < _LINE


def beside_each_other(pictures: Sequence[Scatter]) -> str:
    """One SVG of several, from left to right."""
    left, parts = 0, []
    for picture in pictures:
        parts.append(f'<g transform="translate({left} 0)">\n{picture.svg()}</g>')
        left += picture.width
    height = max(picture.height for picture in pictures)
    size = f'width="{left}" height="{height}" viewBox="0 0 {left} {height}"'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {size}>', *parts, "</svg>", ""])


def _line(x1: float, y1: float, x2: float, y2: float, color: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}"/>'


def _text(x: float, y: float, text: str, anchor: str, color: str = "black") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} fill="{color}">{escape(text)}</text>'
