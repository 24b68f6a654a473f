from __future__ import annotations

import numpy as np
import pytest

from nas.data.images import degrade
from nas.quality.baselines import bicubic, nearest
from nas.quality.similarity import psnr_db

ROWS, COLUMNS = np.mgrid[:48, :60]
SMOOTH = np.stack(
    [128 + 100 * np.sin(ROWS / 7 + shift) * np.cos(COLUMNS / 9) for shift in range(3)], axis=-1
).astype(np.uint8)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bicubic_beats_nearest_on_a_smooth_image(scale: int) -> None:
    pair = degrade(SMOOTH, scale)
    smooth, blocks = bicubic(scale)(pair.lr), nearest(scale)(pair.lr)
    assert smooth.shape == blocks.shape == pair.hr.shape
    assert smooth.dtype == blocks.dtype == np.uint8
    assert psnr_db(smooth, pair.hr, scale) > psnr_db(blocks, pair.hr, scale) + 3


def test_nearest_repeats_pixels() -> None:
    lr = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    result = nearest(3)(lr)
    assert (result[:3, :3] == lr[0, 0]).all()
    assert (result[3:, :3] == lr[1, 0]).all()


def test_a_plain_image_stays_plain() -> None:
    lr = np.full((5, 4, 3), 77, np.uint8)
    assert (bicubic(3)(lr) == 77).all()
