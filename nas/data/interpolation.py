"""Resizes images."""

from __future__ import annotations

import numpy as np
from PIL import Image

from .pixels import Pixels


def resized(pixels: Pixels, height: int, width: int) -> Pixels:
    """Resizes uint8 pixels, (H, W) or (H, W, 3), by Pillow's bicubic interpolation.

    The interpolation is antialiased where the new size is smaller.
    """
    image = Image.fromarray(np.ascontiguousarray(pixels))
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))
