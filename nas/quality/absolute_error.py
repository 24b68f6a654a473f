"""Mean absolute error of two images."""

from __future__ import annotations

import numpy as np

from ..data.pixels import ImageArray


def mean_absolute_error(a: ImageArray, b: ImageArray, border: int) -> float:
    """In grey levels, of two images of one size without ``border`` pixels on every side."""
    height, width = a.shape[:2]
    window = slice(border, height - border), slice(border, width - border)
    return float(np.mean(np.abs(a[window].astype(np.float64) - b[window])))
