"""Which part of a tile's result equals that of the whole image, and where tiles may begin.

If the image continues beyond a tile's border, the result near that border is wrong, since the
network pads there. The extent of the wrong region follows from the pixels that each operator
reads. At a border of the image itself, a tile gives the same result as the whole image.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction

from .graph import INPUT, Graph, shapes_of
from .input_spec import InputSpec
from .windows import Reads


@dataclass(frozen=True)
class Margins:
    """How an image is cut into tiles along one axis; all values are in pixels of the input image.

    The first ``before`` pixels of a tile's result are wrong if the image extends before the tile,
    the last ``after`` if it extends behind it. Tiles begin at multiples of ``multiple``.
    """

    before: int
    after: int
    multiple: int


@dataclass(frozen=True)
class Tiling:
    """How an image is cut into tiles."""

    rows: Margins
    columns: Margins


@dataclass(frozen=True)
class Axis:
    """One axis of a tensor in a tile; it has ``rate`` pixels for each pixel of the image.

    Pixels from ``first`` on are right even if the image extends before the tile, and pixels before
    ``last`` even if it extends behind it. A shift of the image by ``multiple`` pixels shifts the
    tensor, and every tensor it was computed from, by whole pixels.
    """

    rate: Fraction
    size: int
    first: int
    last: int
    multiple: int

    @classmethod
    def of_image(cls, size: int) -> Axis:
        """Returns the axis of the input image, all of whose pixels are right."""
        return cls(Fraction(1), size, 0, size, 1)

    def through(self, reads: Reads, size: int) -> Axis:
        """Returns the axis, of ``size`` pixels, of the output of an operator that reads this."""
        rate = self.rate / reads.step
        first = math.ceil((self.first - reads.first) / reads.step)
        last = math.floor((self.last - 1 - reads.last) / reads.step) + 1
        multiple = math.lcm(self.multiple, rate.denominator)
        return Axis(rate, size, max(first, 0), min(last, size), multiple)

    def margins(self, scale: int) -> Margins:
        """Returns a network's margins if this axis is its output, ``scale`` times the image."""
        before, after = -(-self.first // scale), -(-(self.size - self.last) // scale)
        return Margins(before, after, self.multiple)


def joined(axes: Iterable[Axis]) -> Axis:
    """Returns the axis of a pixelwise combination of tensors, all of the same size and rate."""
    result, *others = axes
    for axis in others:
        result = replace(
            result,
            first=max(result.first, axis.first),
            last=min(result.last, axis.last),
            multiple=math.lcm(result.multiple, axis.multiple),
        )
    return result


def tiling_of(graph: Graph, tile: InputSpec) -> Tiling | None:
    """Returns how images are cut into tiles of size ``tile`` for ``graph``.

    Returns None if output pixels depend on the whole image, so that it cannot be cut.
    """
    shapes = shapes_of(graph, tile)
    rows, columns = {INPUT: Axis.of_image(tile.height)}, {INPUT: Axis.of_image(tile.width)}
    for node in graph.nodes:
        for side, axes in enumerate((rows, columns)):
            result = shapes[node.name][side]
            operand_axes: list[Axis] = []
            for name in node.inputs:
                reads = node.operator.reads(shapes[name][side], result)
                if reads is None:
                    return None
                operand_axes.append(axes[name].through(reads, result))
            axes[node.name] = joined(operand_axes)
    output = graph.nodes[-1].name
    return Tiling(rows[output].margins(graph.scale), columns[output].margins(graph.scale))
