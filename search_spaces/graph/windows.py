"""Which pixels of its input an operator reads, along one axis."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Reads:
    """Output pixel i reads input pixels floor(step * i + first) to ceil(step * i + last)."""

    step: Fraction
    first: Fraction
    last: Fraction


def shifted(pixels: int, stride: int = 1) -> Reads:
    """One pixel in ``stride``, from pixel ``pixels`` on: a slice; of a padding, it is negative."""
    return Reads(Fraction(stride), Fraction(pixels), Fraction(pixels))


#: Each pixel reads the one in its place.
PIXEL = shifted(0)


def window(size: int, result: int, kernel: int, stride: int = 1, dilation: int = 1) -> Reads:
    """A convolution or a pooling of ``size`` pixels to ``result``.

    What the window lacks is padding, half of it before the image, as TensorFlow has it.
    """
    span = (kernel - 1) * dilation + 1
    before = max((result - 1) * stride + span - size, 0) // 2
    return Reads(Fraction(stride), Fraction(-before), Fraction(span - 1 - before))


def transposed(size: int, result: int, kernel: int, stride: int) -> Reads:
    """A transposed convolution; of what it makes too much, half is left out before the image."""
    before = max((size - 1) * stride + kernel - result, 0) // 2
    return Reads(
        Fraction(1, stride),
        Fraction(before - kernel + stride, stride),
        Fraction(before - stride + 1, stride),
    )


def repeated(factor: int) -> Reads:
    """``factor`` pixels of each: depth_to_space, nearest neighbor."""
    return Reads(Fraction(1, factor), Fraction(0), Fraction(1 - factor, factor))


def gathered(block: int) -> Reads:
    """One pixel of ``block``: space_to_depth."""
    return Reads(Fraction(block), Fraction(0), Fraction(block - 1))


def interpolated(step: Fraction, *, half_pixel_centers: bool) -> Reads:
    """Bilinear, ``step`` pixels from one to the next: the neighbors on both sides."""
    shift = (step - 1) / 2 if half_pixel_centers else Fraction(0)
    return Reads(step, shift, shift)
