"""Pixels of one image, as they go through everything."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

#: uint8 RGB, (height, width, 3)
Pixels = npt.NDArray[np.uint8]
#: Those of an image, or of its luma, (height, width) and not rounded.
ImageArray = npt.NDArray[np.uint8] | npt.NDArray[np.float64]
