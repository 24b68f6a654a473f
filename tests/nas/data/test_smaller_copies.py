"""Smaller copies of training images, to learn from besides."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nas.data import cache
from nas.data.images import ImageSet, degrade, load_images, write_image
from nas.data.patches import PatchSampler
from nas.data.pixels import Pixels
from nas.data.smaller_copies import with_smaller_copies

SIZES = (2 / 3, 1 / 2)


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ImageSet:
    """Two photographs, of 240x300 and 120x150 pixels, and a cache of their own."""
    monkeypatch.setenv("NAS_CACHE", str(tmp_path / "cache"))
    for number, height in enumerate((240, 120)):
        chance = np.random.default_rng(number)
        pixels = chance.integers(0, 256, (height, height * 5 // 4, 3), np.uint8)
        write_image(tmp_path / "photos" / f"{number}.png", pixels)
    return load_images(tmp_path / "photos", 3)


def test_each_copy_is_a_pair_like_any_other(images: ImageSet) -> None:
    both = with_smaller_copies(images, SIZES, 32)
    assert [pair.name for pair in both.pairs] == [
        "0.png", "1.png", "0.png at 200x160", "0.png at 150x120",
    ]  # fmt: skip
    for before, pair in zip(images.pairs, both.pairs, strict=False):
        assert np.array_equal(pair.hr, before.hr)
        assert np.array_equal(pair.lr, before.lr)
    for pair, (width, height) in zip(both.pairs[2:], ((198, 159), (150, 120)), strict=True):
        assert pair.hr.shape == (height, width, 3)
        assert np.array_equal(pair.lr, degrade(pair.hr, 3).lr)
    photograph = Image.fromarray(np.ascontiguousarray(images.pairs[0].hr))
    half = photograph.resize((150, 120), Image.Resampling.BICUBIC)
    assert np.array_equal(both.pairs[3].hr, np.asarray(half))


def test_they_are_a_set_of_its_own_and_are_made_once(
    images: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = with_smaller_copies(images, SIZES, 32)
    again = with_smaller_copies(images, SIZES, 32)
    assert again.fingerprint == both.fingerprint != images.fingerprint
    assert with_smaller_copies(images, SIZES[:1], 32).fingerprint != both.fingerprint
    assert (both.place, both.layout) == (images.place, images.layout)
    assert len(list((cache.ImageCache.of_user().folder).glob("*/index.json"))) == 3
    pixels = [pair.hr.sum() for pair in both.in_turn()]
    assert pixels == [pair.hr.sum() for pair in both.pairs]  # released, and read again


def test_crops_are_taken_of_the_copies_too(images: ImageSet) -> None:
    both = with_smaller_copies(images, SIZES, 40)
    assert [pair.name for pair in both.pairs[2:]] == ["0.png at 200x160", "0.png at 150x120"]
    lr, hr = PatchSampler(both, 16, 40).batch_of(0, 0)
    assert (lr.shape, hr.shape) == ((16, 40, 40, 3), (16, 120, 120, 3))
    (fits,) = with_smaller_copies(images, SIZES, 41).pairs[2:]
    assert fits.name == "0.png at 200x160"


@pytest.mark.parametrize(("sizes", "patch"), [((), 32), (SIZES, 64), ((0.3,), 8)])
def test_nothing_is_added_where_no_copy_is_wanted_or_large_enough(
    images: ImageSet, sizes: tuple[float, ...], patch: int
) -> None:
    assert with_smaller_copies(images, sizes, patch) is images


def test_no_copies_of_images_that_another_way_makes_small(images: ImageSet) -> None:
    nearest = tuple(replace(pair, lr=pair.hr[::3, ::3]) for pair in images.pairs)
    others = ImageSet(3, nearest)
    assert with_smaller_copies(others, SIZES, 32) is others


def test_another_programs_bicubic_images_are_as_good(images: ImageSet) -> None:
    chance = np.random.default_rng(0)

    def off_by_one(lr: Pixels) -> Pixels:
        noisy = np.clip(lr + chance.integers(-1, 2, lr.shape), 0, 255)
        return np.asarray(noisy, np.uint8)

    theirs = ImageSet(3, tuple(replace(pair, lr=off_by_one(pair.lr)) for pair in images.pairs))
    assert len(with_smaller_copies(theirs, SIZES, 32).pairs) == 4
