from __future__ import annotations

import json
import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.signal import convolve2d
from skimage.metrics import structural_similarity

from nas.data.images import ImagePair, ImageSet
from nas.data.pixels import ImageArray, Pixels
from nas.quality.baselines import nearest
from nas.quality.image_quality import ImageQuality, MetricValues, ModelQuality, Quality, evaluate
from nas.quality.metrics import METRICS, SSIM
from nas.quality.similarity import MAX_PSNR_DB, luma_of, psnr_db, ssim
from search_spaces import InputError
from tests.nas.qualities import figures


def noisy_pair(seed: int, height: int = 40, width: int = 33) -> tuple[Pixels, Pixels]:
    random = np.random.default_rng(seed)
    clean = random.integers(0, 256, (height, width, 3)).astype(float)
    clean = (clean + np.roll(clean, 1, 0) + np.roll(clean, 1, 1)) / 3
    noise = random.normal(0, 20, clean.shape)
    return clean.astype(np.uint8), np.clip(clean + noise, 0, 255).astype(np.uint8)


def direct_ssim(a: ImageArray, b: ImageArray) -> float:
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
        direct_ssim(a[inner, inner], b[inner, inner]), abs=1e-7
    )


@given(
    base=st.tuples(*[st.integers(0, 255)] * 3),
    contrast=st.integers(0, 255),
    seed=st.integers(0, 9),
    height=st.integers(11, 90),
)
# Faint and of a strong color: around one mean of all channels 32 bits were not enough.
@example(base=(0, 0, 186), contrast=2, seed=3, height=11)
def test_ssim_is_that_of_scikit_image(
    base: tuple[int, int, int], contrast: int, seed: int, height: int
) -> None:
    random = np.random.default_rng(seed)
    a, b = (
        np.clip(base + random.integers(0, contrast + 1, (height, 17, 3)), 0, 255).astype(np.uint8)
        for _ in range(2)
    )
    theirs = structural_similarity(  # type: ignore[no-untyped-call]
        a, b, win_size=11, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
        data_range=255, channel_axis=-1,
    )  # fmt: skip
    assert ssim(a, b, 0) == pytest.approx(theirs, abs=1e-5)


def test_border_is_left_out() -> None:
    a, b = noisy_pair(3)
    c = b.copy()
    c[:3], c[-3:], c[:, :3], c[:, -3:] = 0, 255, 255, 0
    assert psnr_db(a, b, 3) == psnr_db(a, c, 3)
    assert ssim(a, b, 3) == ssim(a, c, 3)
    assert psnr_db(a, b, 2) != psnr_db(a, c, 2)


def test_equal_images() -> None:
    a, _ = noisy_pair(4)
    assert psnr_db(a, a, 3) == MAX_PSNR_DB
    assert ssim(a, a, 3) == pytest.approx(1)


def test_psnr_is_finite_and_never_above_that_of_equal_images() -> None:
    flat = np.full((40, 40, 3), 7, np.uint8)
    almost = flat.copy()
    almost[20, 20, 0] = 8
    expected = 10 * math.log10(255**2 * almost.size)
    assert psnr_db(flat, almost, 0) == pytest.approx(expected)
    assert expected < psnr_db(flat, flat, 0) == MAX_PSNR_DB
    large = np.zeros((3000, 3000), np.uint8)
    nearly = large.copy()
    nearly[0, 0] = 1
    assert psnr_db(large, nearly, 0) == MAX_PSNR_DB


def test_a_mean_with_an_equal_image_is_finite() -> None:
    flat = np.zeros((42, 36, 3), np.uint8)
    images = ImageSet(3, (ImagePair("flat", flat[::3, ::3], flat),))
    quality = evaluate(nearest(3), images, luma=True)
    assert quality.psnr_db == MAX_PSNR_DB
    assert quality.luma is not None
    assert (quality.luma.psnr_db, quality.luma.ssim) == (MAX_PSNR_DB, 1.0)


@pytest.mark.parametrize(
    ("rgb", "expected"),
    [
        ((0, 0, 0), 16.0),
        ((255, 255, 255), 235.0),
        ((255, 0, 0), 81.481),
        ((0, 255, 0), 144.553),
        ((0, 0, 255), 40.966),
    ],
)
def test_luma_is_bt_601_in_studio_range(rgb: tuple[int, int, int], expected: float) -> None:
    assert luma_of(np.array([[rgb]], np.uint8)) == pytest.approx(expected)


def test_luma_beside_rgb() -> None:
    a, b = noisy_pair(8, 42, 36)
    images = ImageSet(3, (ImagePair("one", b[::3, ::3], b),))
    plain, both = evaluate(lambda lr: a, images), evaluate(lambda lr: a, images, luma=True)
    assert plain.luma is None
    assert (both.psnr_db, both.ssim) == (plain.psnr_db, plain.ssim)
    y_a, y_b = (
        (16 + (65.481 * x[..., 0] + 128.553 * x[..., 1] + 24.966 * x[..., 2]) / 255)[3:-3, 3:-3]
        for x in (a.astype(float), b.astype(float))
    )
    assert both.luma is not None
    assert both.luma.psnr_db == pytest.approx(10 * math.log10(255**2 / np.mean((y_a - y_b) ** 2)))
    stacked = [np.repeat(y[..., np.newaxis], 3, axis=2) for y in (y_a, y_b)]
    assert both.luma.ssim == pytest.approx(direct_ssim(*stacked), abs=1e-7)


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


def test_each_image_is_given_back_once_it_is_judged() -> None:
    judged: list[str] = []

    class Watched(ImageSet):
        def release(self) -> None:
            judged.append("released")

    def upscale(lr: Pixels) -> Pixels:
        judged.append("enlarged")
        return nearest(3)(lr)

    pairs = (
        ImagePair(name, *(np.zeros((side, side, 3), np.uint8) for side in (9, 27))) for name in "ab"
    )
    evaluate(upscale, Watched(3, tuple(pairs)))
    assert judged == ["enlarged", "released"] * 2


def test_quality_of_nothing() -> None:
    with pytest.raises(InputError, match="no image"):
        Quality(())
    assert Quality((ImageQuality("a", figures(30.0, 0.9)),)).psnr_db == 30.0


def test_each_metric_prefers_an_image_to_a_worse_one() -> None:
    near, far = noisy_pair(9), noisy_pair(10)
    for metric in METRICS:
        equal, better, worse = (
            metric.function(a, b, 3) for a, b in ((near[0], near[0]), near, (near[0], far[1]))
        )
        sign = 1 if metric.is_higher_better else -1
        assert sign * equal > sign * better > sign * worse


def test_metrics_are_told_under_keys_of_their_own() -> None:
    assert [metric.key for metric in METRICS[:2]] == ["psnr_db", "ssim"]
    assert [metric.key_of("float") for metric in METRICS[:2]] == ["psnr_float_db", "ssim_float"]
    assert len({metric.key for metric in METRICS}) == len(METRICS)


@given(st.floats(0, 100), st.floats(0, 100))
def test_the_quality_of_a_model_is_read_back_as_it_was_written(int8: float, plain: float) -> None:
    quality = ModelQuality(figures(int8), figures(plain, 0.9))
    written = json.loads(json.dumps(quality.to_json()))
    assert written["drop_db"] == plain - int8
    assert ModelQuality.from_json(written) == quality


def test_figures_of_before_a_metric_are_read_and_shown_as_unknown() -> None:
    older = MetricValues.from_json({"psnr_db": 30.0})
    assert older.get(SSIM) is None
    assert older.texts()[:2] == ["30.000", "-"]
    assert MetricValues.mean([older, figures(31.0)]) == MetricValues({"psnr_db": 30.5})


@pytest.mark.parametrize("value", [math.nan, math.inf, None, "30"])
def test_a_figure_is_a_finite_number(value: object) -> None:
    with pytest.raises(InputError, match="psnr_db is"):
        MetricValues.from_json({"psnr_db": value})  # type: ignore[dict-item]
    with pytest.raises(InputError, match="no psnr_db"):
        MetricValues({"ssim": 0.9})
