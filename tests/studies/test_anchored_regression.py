"""A+ learned from a few photographs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nas.data.images import EMBEDDED, ImagePair, ImageSet, degrade, load_data
from nas.quality.baselines import bicubic
from nas.quality.image_quality import evaluate
from search_spaces import InputError
from studies.report_systems.anchored_regression import AnchoredRegression, AnchoredRegressionRecipe

SMALL = AnchoredRegressionRecipe(anchors=32, neighbors=256, patches=20_000)
#: What the small recipe gains over bicubic on each held-out photograph, less a third, dB.
GAIN_DB = {2: 0.45, 3: 0.15, 4: 0.12}


@pytest.fixture(scope="module", params=sorted(GAIN_DB))
def fitted(request: pytest.FixtureRequest) -> AnchoredRegression:
    return AnchoredRegression.fit(load_data(EMBEDDED, request.param).training, SMALL)


def test_beats_bicubic_on_photographs_that_it_has_not_seen(fitted: AnchoredRegression) -> None:
    validation = load_data(EMBEDDED, fitted.scale).validation
    ours, plain = (
        evaluate(upscale, validation) for upscale in (fitted.upscale, bicubic(fitted.scale))
    )
    for image, reference in zip(ours.images, plain.images, strict=True):
        assert image.psnr_db > reference.psnr_db + GAIN_DB[fitted.scale], image.name
    assert ours.ssim > plain.ssim


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 9), (2, 3), (3, 3), (17, 40)])
def test_any_size(fitted: AnchoredRegression, height: int, width: int) -> None:
    lr = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    result = fitted.upscale(lr)
    assert result.dtype == np.uint8
    assert result.shape == (height * fitted.scale, width * fitted.scale, 3)


def test_each_pixel_depends_on_its_neighbourhood_only(fitted: AnchoredRegression) -> None:
    lr = load_data(EMBEDDED, fitted.scale).validation.pairs[0].lr[:60, :60]
    whole, part = fitted.upscale(lr), fitted.upscale(lr[:40])
    known = 30 * fitted.scale
    np.testing.assert_allclose(whole[:known].astype(int), part[:known], atol=1)


def test_flat_images_stay_flat_and_grey_ones_grey(fitted: AnchoredRegression) -> None:
    assert (fitted.upscale(np.full((9, 8, 3), 200, np.uint8)) == 200).all()
    grey = np.random.default_rng(1).integers(0, 256, (20, 20, 1), np.uint8).repeat(3, axis=2)
    result = fitted.upscale(grey)
    assert (result == result[..., :1]).all()


def test_saved_and_loaded(fitted: AnchoredRegression, tmp_path: Path) -> None:
    fitted.save(tmp_path / "aplus.npz")
    again = AnchoredRegression.load(tmp_path / "aplus.npz")
    lr = np.random.default_rng(2).integers(0, 256, (12, 15, 3), np.uint8)
    np.testing.assert_array_equal(again.upscale(lr), fitted.upscale(lr))


def few(seed: int = 0) -> ImageSet:
    """One photograph's corner."""
    (pair, *_) = load_data(EMBEDDED, 3).training.pairs
    return ImageSet(3, (degrade(pair.hr[60 * seed : 60 * seed + 180, :180], 3),))


def test_the_seed_decides() -> None:
    recipe = AnchoredRegressionRecipe(anchors=8, neighbors=64, patches=2000)
    first, again, other = (AnchoredRegression.fit(few(), recipe, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.anchors, again.anchors)
    np.testing.assert_array_equal(first.regressors, again.regressors)
    assert not np.array_equal(first.anchors, other.anchors)


def test_more_training_patches_help() -> None:
    data = load_data(EMBEDDED, 3)
    recipe = replace(SMALL, anchors=8)
    one, all_ = (AnchoredRegression.fit(images, recipe) for images in (few(), data.training))
    assert (
        evaluate(all_.upscale, data.validation).psnr_db
        > evaluate(one.upscale, data.validation).psnr_db
    )


@pytest.mark.parametrize(
    "wrong",
    [{"anchors": 0}, {"neighbors": -1}, {"ridge": 0.0}, {"patches": 100}, {"ridge": float("nan")}],
)
def test_a_recipe_that_cannot_be_followed(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=r"A\+"):
        replace(SMALL, **wrong)  # type: ignore[arg-type]


def test_too_little_to_learn_from() -> None:
    with pytest.raises(InputError, match="needs 4096 patches with any detail"):
        AnchoredRegression.fit(few(), replace(SMALL, neighbors=4096))
    flat = np.full((120, 120, 3), 7, np.uint8)
    images = ImageSet(3, (ImagePair("flat", flat[::3, ::3], flat),))
    with pytest.raises(InputError, match="the images have 0"):
        AnchoredRegression.fit(images, AnchoredRegressionRecipe(4, 8, 1000))


def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    for name, content in (("garbage.npz", b"nothing"), ("empty.npz", b"")):
        (tmp_path / name).write_bytes(content)
    np.savez(tmp_path / "other.npz", scale=np.array(3))
    np.savez(
        tmp_path / "shapes.npz", scale=np.array(3),
        basis=np.zeros((324, 5)), anchors=np.zeros((4, 5)), regressors=np.zeros(3),
    )  # fmt: skip
    for name in ("garbage.npz", "empty.npz", "other.npz", "shapes.npz", "missing.npz"):
        with pytest.raises(InputError, match=name):
            AnchoredRegression.load(tmp_path / name)
