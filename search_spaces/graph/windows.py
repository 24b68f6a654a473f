"""Which pixels of its input an operator reads, along one axis."""

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

    def of(self, pixel: int) -> range:
        """What output pixel ``pixel`` reads; some of it may lie outside of the input."""
        step, first, last, parts = self._in_parts
        ahead = step * pixel
        return range((ahead + first) // parts, -((-ahead - last) // parts) + 1)

    def meets_all(self, size: int, result: int) -> bool:
        """Is it plain that each of ``result`` pixels reads one of ``size``?

        The ends tell of all, since windows move one way; one that may be empty is not plain.
        """
        _, first, last, _ = self._in_parts
        return last >= first and self.of(0).stop > 0 and self.of(result - 1).start < size

    @cached_property
    def _in_parts(self) -> tuple[int, int, int, int]:
        """Step, first and last in whole parts of a pixel, and how many parts a pixel has."""
        values = self.step, self.first, self.last
        parts = math.lcm(*(value.denominator for value in values))
        step, first, last = (int(value * parts) for value in values)
        return step, first, last, parts


#: Windows of networks are few, and asked for again with each network.
_KEPT = 256


@lru_cache(_KEPT)
def shifted(pixels: int, stride: int = 1) -> Reads:
    """One pixel in ``stride``, from pixel ``pixels`` on: a slice; of a padding, it is negative."""
    return Reads(Fraction(stride), Fraction(pixels), Fraction(pixels))


#: Each pixel reads the one in its place.
PIXEL = shifted(0)


@lru_cache(_KEPT)
def window(size: int, result: int, kernel: int, stride: int = 1, dilation: int = 1) -> Reads:
    """A convolution or a pooling of ``size`` pixels to ``result``.

    What the window lacks is padding, half of it before the image, as TensorFlow has it.
    """
    span = (kernel - 1) * dilation + 1
    before = max((result - 1) * stride + span - size, 0) // 2
    return Reads(Fraction(stride), Fraction(-before), Fraction(span - 1 - before))


@lru_cache(_KEPT)
def transposed(size: int, result: int, kernel: int, stride: int) -> Reads:
    """A transposed convolution; of what it makes too much, half is left out before the image."""
    before = max((size - 1) * stride + kernel - result, 0) // 2
    return Reads(
        Fraction(1, stride),
        Fraction(before - kernel + stride, stride),
        Fraction(before - stride + 1, stride),
    )


@lru_cache(_KEPT)
def repeated(factor: int) -> Reads:
    """``factor`` pixels of each: depth_to_space, nearest neighbor."""
    return Reads(Fraction(1, factor), Fraction(0), Fraction(1 - factor, factor))


@lru_cache(_KEPT)
def gathered(block: int) -> Reads:
    """One pixel of ``block``: space_to_depth."""
    return Reads(Fraction(block), Fraction(0), Fraction(block - 1))


@lru_cache(_KEPT)
def interpolated(step: Fraction, *, half_pixel_centers: bool) -> Reads:
    """Bilinear, ``step`` pixels from one to the next: the neighbors on both sides."""
    shift = (step - 1) / 2 if half_pixel_centers else Fraction(0)
    return Reads(step, shift, shift)
