"""Pixels at another size."""

from __future__ import annotations

import numpy as np
from PIL import Image

from .pixels import Pixels


def resized(pixels: Pixels, height: int, width: int) -> Pixels:
    """uint8 (H, W) or (H, W, 3) at that size by Pillow's bicubic interpolation.

    It is antialiased where that is smaller.
    """
    image = Image.fromarray(np.ascontiguousarray(pixels))
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))
