"""Images read, made smaller, split and cut into patches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nas.data.images import (
    EMBEDDED,
    HOLD_OUT,
    MIN_LR_SIDE,
    ImagePair,
    ImageSet,
    degrade,
    load_data,
    load_images,
    read_rgb,
)
from nas.data.patches import PatchSampler
from nas.data.pixels import Pixels
from search_spaces import InputError

SIDE = MIN_LR_SIDE * 3


def photo(seed: int, height: int = SIDE + 5, width: int = SIDE + 10) -> Pixels:
    small = np.random.default_rng(seed).integers(0, 256, (height // 4, width // 4, 3), np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height)))


def save(folder: Path, name: str, pixels: Pixels) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(folder / name)


def names(images: ImageSet) -> list[str]:
    return [pair.name for pair in images.pairs]


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_embedded(scale: int) -> None:
    data = load_data(EMBEDDED, scale)
    assert len(data.training.pairs) >= 8
    assert len(data.validation.pairs) == 3
    assert not set(names(data.training)) & set(names(data.validation))
    for pair in data.training.pairs + data.validation.pairs:
        assert pair.lr.dtype == pair.hr.dtype == np.uint8
        height, width, channels = pair.lr.shape
        assert pair.hr.shape == (height * scale, width * scale, 3)
        assert channels == 3
    assert not data.training.skipped + data.validation.skipped


def test_degrade_crops_from_the_top_left() -> None:
    hr = photo(1, 101, 104)
    pair = degrade(hr, 3)
    np.testing.assert_array_equal(pair.hr, hr[:99, :102])
    assert pair.lr.shape == (33, 34, 3)
    bicubic = Image.fromarray(hr[:99, :102]).resize((34, 33), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(pair.lr, np.asarray(bicubic))


def test_folder_holds_every_tenth_out(tmp_path: Path) -> None:
    for index in range(HOLD_OUT + 2):
        save(tmp_path, f"{index:02}.png", photo(index))
    data = load_data(str(tmp_path), 3)
    assert names(data.validation) == ["00.png", "10.png"]
    assert names(data.training) == [f"{index:02}.png" for index in (*range(1, 10), 11)]


def test_folder_with_parts(tmp_path: Path) -> None:
    save(tmp_path / "train", "a.png", photo(1))
    save(tmp_path / "train", "b.png", photo(2))
    save(tmp_path / "valid", "c.png", photo(3))
    data = load_data(str(tmp_path), 3)
    assert (names(data.training), names(data.validation)) == (["a.png", "b.png"], ["c.png"])


def test_div2k_is_read_with_its_own_low_resolution(tmp_path: Path) -> None:
    own = np.full((MIN_LR_SIDE, MIN_LR_SIDE, 3), 9, np.uint8)
    for part, index in (("train", "0001"), ("valid", "0801")):
        save(tmp_path / f"DIV2K_{part}_HR", f"{index}.png", photo(1, SIDE, SIDE))
        save(tmp_path / f"DIV2K_{part}_LR_bicubic" / "X3", f"{index}x3.png", own)
    data = load_data(str(tmp_path), 3)
    assert (names(data.training), names(data.validation)) == (["0001.png"], ["0801.png"])
    np.testing.assert_array_equal(data.training.pairs[0].lr, own)
    made = load_data(str(tmp_path), 2)
    assert made.training.pairs[0].lr.shape == (SIDE // 2, SIDE // 2, 3)


def test_broken_and_small_files_are_skipped_with_reason(tmp_path: Path) -> None:
    save(tmp_path, "good.png", photo(1))
    save(tmp_path, "tiny.png", photo(2, 40, 200))
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    (tmp_path / "notes.txt").write_text("no image", encoding="utf-8")
    whole = (tmp_path / "good.png").read_bytes()
    (tmp_path / "torn.png").write_bytes(whole[: len(whole) // 2])
    images = load_images(tmp_path, 3)
    assert names(images) == ["good.png"]
    reasons = {item.name: item.reason for item in images.skipped}
    assert set(reasons) == {"broken.jpg", "tiny.png", "torn.png"}
    assert f"each side needs {SIDE} pixels" in reasons["tiny.png"]


def test_modes_become_rgb(tmp_path: Path) -> None:
    grey = photo(1)[..., 0]
    Image.fromarray(grey).save(tmp_path / "grey.png")
    Image.fromarray(np.dstack([photo(1), grey])).save(tmp_path / "alpha.png")
    assert read_rgb(tmp_path / "grey.png").shape == (*grey.shape, 3)
    np.testing.assert_array_equal(read_rgb(tmp_path / "alpha.png"), photo(1))


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        load_data(str(tmp_path / "none"), 3)
    with pytest.raises(InputError, match="no image"):
        load_data(str(tmp_path), 3)
    save(tmp_path, "one.png", photo(1))
    with pytest.raises(InputError, match="at least 2 are needed"):
        load_data(str(tmp_path), 3)
    save(tmp_path / "small", "s.png", photo(1, 21, 21))
    with pytest.raises(InputError, match=r"no usable image \(s\.png: 21x21 is too small"):
        load_images(tmp_path / "small", 3)


def test_fingerprint_follows_every_pixel() -> None:
    pair = degrade(photo(1), 3)
    images = ImageSet(3, (pair,))
    assert ImageSet(3, (degrade(photo(1), 3),)).fingerprint == images.fingerprint
    changed = pair.hr.copy()
    changed[-1, -1, -1] ^= 1
    assert ImageSet(3, (ImagePair("", pair.lr, changed),)).fingerprint != images.fingerprint


def position_pair() -> ImagePair:
    """Each LR pixel, and the 3x3 HR pixels that belong to it, hold its row and column."""
    rows, columns = np.mgrid[:50, :60].astype(np.uint8)
    lr = np.stack([rows, columns, rows], axis=-1)
    return ImagePair("positions", lr, lr.repeat(3, axis=0).repeat(3, axis=1))


def test_patches_stay_pairs_whatever_is_done_to_them() -> None:
    sampler = PatchSampler(ImageSet(3, (position_pair(),)), batch=32, patch=8)
    lr, hr = sampler.batch_of(seed=1, step=2)
    assert (lr.shape, hr.shape) == ((32, 8, 8, 3), (32, 24, 24, 3))
    np.testing.assert_array_equal(hr, lr.repeat(3, axis=1).repeat(3, axis=2))
    corners = {tuple(np.sign(patch[0, 0, :2].astype(int) - patch[-1, -1, :2])) for patch in lr}
    assert len(corners) == 4
    transposed = {bool(patch[0, 0, 0] == patch[0, -1, 0]) for patch in lr}
    assert transposed == {True, False}


def test_patches_repeat_with_seed_and_step() -> None:
    sampler = PatchSampler(ImageSet(3, (position_pair(),)), batch=4, patch=8)
    first, again = sampler.batch_of(7, 11)[0], sampler.batch_of(7, 11)[0]
    np.testing.assert_array_equal(first, again)
    assert (first != sampler.batch_of(7, 12)[0]).any()
    assert (first != sampler.batch_of(8, 11)[0]).any()
