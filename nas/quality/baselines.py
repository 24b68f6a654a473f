"""Enlargements without a network, with which networks are compared."""

from __future__ import annotations

from collections.abc import Callable

from ..data.interpolation import resized
from ..data.pixels import Pixels


def bicubic(scale: int) -> Callable[[Pixels], Pixels]:
    """Returns a function that enlarges uint8 RGB (H, W, 3) by Pillow's bicubic interpolation."""

    def upscale(lr: Pixels) -> Pixels:
        height, width = lr.shape[:2]
        return resized(lr, height * scale, width * scale)

    return upscale


def nearest(scale: int) -> Callable[[Pixels], Pixels]:
    """Returns a function that enlarges uint8 RGB (H, W, 3) by repeating each pixel."""

    def upscale(lr: Pixels) -> Pixels:
        return lr.repeat(scale, axis=0).repeat(scale, axis=1)

    return upscale
