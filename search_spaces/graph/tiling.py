"""How much of a tile's result is that of the whole image, and where tiles may begin.

A tile's result is wrong near a border where the image goes on, since the network pads there. How
far that reaches follows from what each operator reads. Where the tile ends with its image, the
network does what it does with the whole image.
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
    """How an image is cut along one axis, in its own pixels.

    Of a tile's result the first ``before`` pixels are wrong if the image begins earlier, and the
    last ``after`` if it goes on. Tiles begin at multiples of ``multiple``.
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
    """One axis of a tensor in a tile: ``rate`` of its pixels make one pixel of the image.

    Pixels from ``first`` on are right though the image begins before the tile, those before
    ``last`` though it goes on behind it. A shift of the image by ``multiple`` pixels shifts the
    tensor by whole pixels, and all that it was made of.
    """

    rate: Fraction
    size: int
    first: int
    last: int
    multiple: int

    @classmethod
    def of_image(cls, size: int) -> Axis:
        """The image's own: right from end to end."""
        return cls(Fraction(1), size, 0, size, 1)

    def through(self, reads: Reads, size: int) -> Axis:
        """That of the ``size`` pixels that an operator makes of it."""
        rate = self.rate / reads.step
        first = math.ceil((self.first - reads.first) / reads.step)
        last = math.floor((self.last - 1 - reads.last) / reads.step) + 1
        multiple = math.lcm(self.multiple, rate.denominator)
        return Axis(rate, size, max(first, 0), min(last, size), multiple)

    def margins(self, scale: int) -> Margins:
        """Of the network whose output this is: ``scale`` times the image."""
        before, after = -(-self.first // scale), -(-(self.size - self.last) // scale)
        return Margins(before, after, self.multiple)


def joined(axes: Iterable[Axis]) -> Axis:
    """That of what is made of tensors pixel by pixel; their sizes and rates are the same."""
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
    """How images are cut for ``graph`` on inputs of ``tile``; None: each pixel depends on all."""
    shapes = shapes_of(graph, tile)
    rows, columns = {INPUT: Axis.of_image(tile.height)}, {INPUT: Axis.of_image(tile.width)}
    for node in graph.nodes:
        for side, axes in enumerate((rows, columns)):
            result = shapes[node.name][side]
            made: list[Axis] = []
            for name in node.inputs:
                reads = node.operator.reads(shapes[name][side], result)
                if reads is None:
                    return None
                made.append(axes[name].through(reads, result))
            axes[node.name] = joined(made)
    output = graph.nodes[-1].name
    return Tiling(rows[output].margins(graph.scale), columns[output].margins(graph.scale))
