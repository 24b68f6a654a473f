from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from scipy.signal import convolve2d

from nas.images.data import ImagePair, ImageSet, Pixels
from nas.images.quality import ImageQuality, Quality, evaluate, psnr_db, ssim
from search_spaces import InputError


def noisy_pair(seed: int, height: int = 40, width: int = 33) -> tuple[Pixels, Pixels]:
    random = np.random.default_rng(seed)
    clean = random.integers(0, 256, (height, width, 3)).astype(float)
    clean = (clean + np.roll(clean, 1, 0) + np.roll(clean, 1, 1)) / 3
    noise = random.normal(0, 20, clean.shape)
    return clean.astype(np.uint8), np.clip(clean + noise, 0, 255).astype(np.uint8)


def direct_ssim(a: Pixels, b: Pixels) -> float:
    """Wang et al.'s formula, window by window."""
    offsets = np.arange(-5, 6)
    line = np.exp(-(offsets**2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2

    def mean(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray(convolve2d(values, window, mode="valid"))

    channels = []
    for channel in range(3):
        x, y = (image[..., channel].astype(float) for image in (a, b))
        mx, my = mean(x), mean(y)
        vx, vy, vxy = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
        similarity = (2 * mx * my + c1) * (2 * vxy + c2)
        similarity /= (mx**2 + my**2 + c1) * (vx + vy + c2)
        channels.append(similarity.mean())
    return float(np.mean(channels))


@pytest.mark.parametrize("border", [0, 2, 3, 4])
def test_psnr_formula(border: int) -> None:
    a, b = noisy_pair(1)
    inner = slice(border, -border or None)
    error = np.mean((a[inner, inner].astype(float) - b[inner, inner].astype(float)) ** 2)
    assert psnr_db(a, b, border) == pytest.approx(20 * math.log10(255) - 10 * math.log10(error))


def test_psnr_does_not_wrap_around() -> None:
    black, white = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8)
    assert psnr_db(black, white, 0) == 0


@pytest.mark.parametrize("border", [0, 2, 3, 4])
def test_ssim_formula(border: int) -> None:
    a, b = noisy_pair(2)
    inner = slice(border, -border or None)
    assert ssim(a, b, border) == pytest.approx(
        direct_ssim(a[inner, inner], b[inner, inner]), abs=1e-9
    )


def test_border_is_left_out() -> None:
    a, b = noisy_pair(3)
    c = b.copy()
    c[:3], c[-3:], c[:, :3], c[:, -3:] = 0, 255, 255, 0
    assert psnr_db(a, b, 3) == psnr_db(a, c, 3)
    assert ssim(a, b, 3) == ssim(a, c, 3)
    assert psnr_db(a, b, 2) != psnr_db(a, c, 2)


def test_equal_images() -> None:
    a, _ = noisy_pair(4)
    assert psnr_db(a, a, 3) == math.inf
    assert ssim(a, a, 3) == pytest.approx(1)


def test_images_that_cannot_be_compared() -> None:
    a, b = noisy_pair(5)
    with pytest.raises(InputError, match="cannot be compared"):
        psnr_db(a, b[1:], 3)
    with pytest.raises(InputError, match="leaves 10x4; at least 11x11"):
        ssim(a[:16, :10], b[:16, :10], 3)


def test_evaluate_means_over_images() -> None:
    pairs = []
    for seed in (6, 7):
        _, b = noisy_pair(seed, 42, 36)
        pairs.append(ImagePair(f"{seed}.png", b[::3, ::3], b))
    images = ImageSet(3, tuple(pairs))
    grey = np.full((42, 36, 3), 128, np.uint8)
    quality = evaluate(lambda lr: grey, images)
    assert [image.name for image in quality.images] == ["6.png", "7.png"]
    expected = [psnr_db(grey, pair.hr, 3) for pair in pairs]
    assert quality.psnr_db == pytest.approx(sum(expected) / 2)
    assert quality.ssim == pytest.approx(sum(ssim(grey, pair.hr, 3) for pair in pairs) / 2)


def test_quality_of_nothing() -> None:
    with pytest.raises(InputError, match="no image"):
        Quality(())
    assert Quality((ImageQuality("a", 30.0, 0.9),)).psnr_db == 30.0
