"""Scatter plots as SVG files, which browsers and README pages show without any program."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 24, 40, 56
_GRID, _DIAGONAL, _INTERVAL, _MARK = "#ddd", "#888", "#9ab", "#1a6fb5"
#: Tick positions are these factors times a power of ten.
_TICK_FACTORS, _MOST_TICKS = (1, 2, 5), 8
#: Approximate width of a letter, and height of a line of text, in pixels.
_LETTER, _LINE = 6.5, 12.0
#: Half of the width that a dot occupies, in pixels.
_DOT = 5.0


@dataclass(frozen=True)
class Point:
    """A dot, the interval of its y, and the label beside it."""

    x: float
    y: float
    low: float
    high: float
    label: str = ""
    color: str = _MARK


@dataclass(frozen=True)
class Axis:
    """An axis from ``low`` to ``high``; ``ticks`` are the numbers as they are printed."""

    title: str
    low: float
    high: float
    ticks: tuple[str, ...]
    logarithmic: bool

    def fraction(self, value: float) -> float:
        """Returns the position of a value along the axis, 0 to 1."""
        if self.logarithmic:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


def logarithmic(title: str, values: Sequence[float]) -> Axis:
    """Returns an axis around positive ``values``.

    Ticks are at powers of ten, and at 2 and 5 times them if the values span less than a factor of
    about 100.
    """
    low, high = min(values) / 1.1, max(values) * 1.1
    factors = _TICK_FACTORS if high < 100 * low else (1,)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [factor * 10.0**power for power in powers for factor in factors]
    shown = tuple(f"{tick:g}" for tick in ticks if low <= tick <= high)
    return Axis(title, low, high, shown, logarithmic=True)


def linear(title: str, values: Sequence[float]) -> Axis:
    """Returns an axis around ``values`` with ticks 1, 2 or 5 times a power of ten apart."""
    margin = 0.1 * (max(values) - min(values)) or 1.0  # if all values are equal, 1 on each side
    low, high = min(values) - margin, max(values) + margin
    power = math.floor(math.log10((high - low) / _MOST_TICKS))
    steps = [factor * 10.0**power for factor in (*_TICK_FACTORS, 10)]
    step = next(step for step in steps if (high - low) / step <= _MOST_TICKS)
    ticks = range(math.ceil(low / step), math.floor(high / step) + 1)
    shown = tuple(f"{tick * step:.{max(0, -power)}f}" for tick in ticks)
    return Axis(title, low, high, shown, logarithmic=False)


@dataclass(frozen=True)
class Scatter:
    """Points between two axes; ``width`` and ``height`` are in pixels."""

    points: tuple[Point, ...]
    x: Axis
    y: Axis
    width: int
    height: int
    title: str = ""
    #: Whether to draw the diagonal on which x equals y.
    diagonal: bool = False
    #: Colors and their meanings, in a line above the points.
    legend: tuple[tuple[str, str], ...] = ()

    def svg(self) -> str:
        """Returns the text of the SVG file."""
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

    def _x(self, fraction: float) -> float:
        return _LEFT + fraction * (self.width - _LEFT - _RIGHT)

    def _y(self, fraction: float) -> float:
        return self.height - _BOTTOM - fraction * (self.height - _TOP - _BOTTOM)

    def _grid(self) -> list[str]:
        lines = []
        for tick in self.x.ticks:
            x = self._x(self.x.fraction(float(tick)))
            lines.append(_line(x, self._y(0), x, self._y(1), _GRID))
            lines.append(_text(x, self._y(0) + 18, tick, "middle"))
        for tick in self.y.ticks:
            y = self._y(self.y.fraction(float(tick)))
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
        x = self._x(self.x.fraction(point.x))
        y, low, high = (self._y(self.y.fraction(v)) for v in (point.y, point.low, point.high))
        dot = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{point.color}"/>'
        return _line(x, low, x, high, _INTERVAL) + dot

    def _labels(self) -> list[str]:
        """Draws each label right of its point, or at the nearest place free of dots and labels."""
        places = [
            (self._x(self.x.fraction(p.x)), self._y(self.y.fraction(p.y))) for p in self.points
        ]
        taken = [_Box(x - _DOT, x + _DOT, y - _DOT, y + _DOT) for x, y in places]
        frame = _Box(self._x(0), self.width, self._y(1), self._y(0))
        drawn = []
        for point, (x, y) in zip(self.points, places, strict=True):
            if not point.label:
                continue
            possible = _label_boxes(x, y, point.label)
            boxes = [box for box in possible if math.isclose(box.overlap(frame), box.area)]
            box = min(
                boxes or possible, key=lambda box: sum(map(box.overlap, taken))
            )  # the first box of the least overlap
            taken.append(box)
            drawn.append(box.text(x, point.label))
            if box.distance(x, y) > _LINE:
                drawn.append(_line(x, y, *box.nearest(x, y), _INTERVAL))
        return drawn


@dataclass(frozen=True)
class _Box:
    """A rectangle in the picture."""

    left: float
    right: float
    top: float
    bottom: float

    @property
    def area(self) -> float:
        return (self.right - self.left) * (self.bottom - self.top)

    def overlap(self, other: _Box) -> float:
        """Returns the area that both boxes cover."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, width) * max(0.0, height)

    def text(self, x: float, label: str) -> str:
        """Draws ``label`` in the box, aligned to the dot at ``x``: letter widths are estimates."""
        if self.right < x:
            return _text(self.right, self.bottom - 2, label, "end")
        middle = self.left <= x
        left = (self.left + self.right) / 2 if middle else self.left
        return _text(left, self.bottom - 2, label, "middle" if middle else "start")

    def nearest(self, x: float, y: float) -> tuple[float, float]:
        """Returns the point of the box that is nearest to (x, y)."""
        return min(max(x, self.left), self.right), min(max(y, self.top), self.bottom)

    def distance(self, x: float, y: float) -> float:
        """Returns the distance from (x, y) to the box."""
        return math.dist((x, y), self.nearest(x, y))


def _label_boxes(x: float, y: float, label: str) -> list[_Box]:
    """Returns the possible boxes for the label of a dot, the best first."""
    width = _LETTER * len(label)
    lefts = {"right": x + 8, "left": x - 8 - width, "middle": x - width / 2}
    lines = [(side, line) for line in (0, -1, 1) for side in ("right", "left")]
    lines += [("middle", -1), ("middle", 1)]
    lines += [(side, line) for line in (-2, 2, -3, 3, -4, 4) for side in ("right", "left")]
    return [
        _Box(lefts[side], lefts[side] + width, y + _LINE * (n - 0.5), y + _LINE * (n + 0.5))
        for side, n in lines
    ]


def beside_each_other(pictures: Sequence[Scatter]) -> str:
    """Returns one SVG of several plots, from left to right."""
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
