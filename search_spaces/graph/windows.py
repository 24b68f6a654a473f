"""Which input pixels each output pixel of an operator reads, along one axis."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache


@dataclass(frozen=True)
class Reads:
    """Output pixel i reads input pixels floor(step * i + first) to ceil(step * i + last)."""

    step: Fraction
    first: Fraction
    last: Fraction

    def pixels_read_by(self, pixel: int) -> range:
        """Returns the input pixels that one output pixel reads; some may lie outside the input."""
        step, first, last, units = self._in_common_units
        offset = step * pixel
        return range((offset + first) // units, -((-offset - last) // units) + 1)

    def every_output_reads_input(self, size: int, result: int) -> bool:
        """Returns True only if each of ``result`` output pixels reads one of ``size`` input pixels.

        It suffices to check the first and the last output pixel, since windows move monotonically.
        Returns False for windows that may be empty, without checking them one by one.
        """
        _, first, last, _ = self._in_common_units
        return (
            last >= first
            and self.pixels_read_by(0).stop > 0
            and self.pixels_read_by(result - 1).start < size
        )

    @cached_property
    def _in_common_units(self) -> tuple[int, int, int, int]:
        """Returns step, first and last as whole numbers of 1/n pixel, and n itself."""
        values = self.step, self.first, self.last
        units = math.lcm(*(value.denominator for value in values))
        step, first, last = (int(value * units) for value in values)
        return step, first, last, units


#: Cache size: few distinct windows occur, and every network asks for the same ones again.
_CACHE_SIZE = 256


@lru_cache(_CACHE_SIZE)
def shifted(pixels: int, stride: int = 1) -> Reads:
    """Slice from pixel ``pixels`` on, every ``stride``-th pixel; for padding, it is negative."""
    return Reads(Fraction(stride), Fraction(pixels), Fraction(pixels))


#: Each output pixel reads the input pixel at the same position.
PIXEL = shifted(0)


@lru_cache(_CACHE_SIZE)
def window(size: int, result: int, kernel: int, stride: int = 1, dilation: int = 1) -> Reads:
    """Convolution or pooling of ``size`` input pixels to ``result`` output pixels.

    As in TensorFlow, half of the padding, rounded down, is placed before the image.
    """
    span = (kernel - 1) * dilation + 1
    before = max((result - 1) * stride + span - size, 0) // 2
    return Reads(Fraction(stride), Fraction(-before), Fraction(span - 1 - before))


@lru_cache(_CACHE_SIZE)
def transposed(size: int, result: int, kernel: int, stride: int) -> Reads:
    """Transposed convolution; half of its surplus output, rounded down, is cropped at the start."""
    before = max((size - 1) * stride + kernel - result, 0) // 2
    return Reads(
        Fraction(1, stride),
        Fraction(before - kernel + stride, stride),
        Fraction(before - stride + 1, stride),
    )


@lru_cache(_CACHE_SIZE)
def repeated(factor: int) -> Reads:
    """Each input pixel gives ``factor`` output pixels, as in depth_to_space or nearest neighbor."""
    return Reads(Fraction(1, factor), Fraction(0), Fraction(1 - factor, factor))


@lru_cache(_CACHE_SIZE)
def gathered(block: int) -> Reads:
    """Each output pixel reads ``block`` adjacent input pixels, as in space_to_depth."""
    return Reads(Fraction(block), Fraction(0), Fraction(block - 1))


@lru_cache(_CACHE_SIZE)
def interpolated(step: Fraction, *, half_pixel_centers: bool) -> Reads:
    """Bilinear resize by ``step`` input pixels an output pixel; it reads the two neighbors."""
    shift = (step - 1) / 2 if half_pixel_centers else Fraction(0)
    return Reads(step, shift, shift)
