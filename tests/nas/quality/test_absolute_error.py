from __future__ import annotations

import numpy as np

from nas.quality.absolute_error import mean_absolute_error


def test_mean_of_absolute_differences_inside_the_border() -> None:
    a = np.zeros((5, 5, 3), np.uint8)
    b = a.copy()
    b[2, 2], b[0, 0] = 9, 255
    assert mean_absolute_error(a, b, 1) == 1.0
