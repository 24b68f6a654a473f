"""Types of pixel arrays."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

#: uint8 RGB pixels, (height, width, 3).
Pixels = npt.NDArray[np.uint8]
#: RGB pixels of an image, or its unrounded luma, (height, width).
ImageArray = npt.NDArray[np.uint8] | npt.NDArray[np.float64]
