"""Pixels of one image, as they go through everything."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

#: uint8 RGB, (height, width, 3)
Pixels = npt.NDArray[np.uint8]
