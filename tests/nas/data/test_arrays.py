"""Photographs in memory: the same data as in a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from nas.data.arrays import Images, load_arrays, save_arrays, validation_of
from nas.data.images import degrade, load_data, write_image
from search_spaces import InputError

SCALE = 3


def photographs(count: int, seed: int = 0) -> list[npt.NDArray[np.uint8]]:
    random = np.random.default_rng(seed)
    sizes = random.integers(100, 130, (count, 2))
    return [random.integers(0, 256, (h, w, 3), np.uint8) for h, w in sizes]


def darkened(hr: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return degrade(hr, SCALE).lr // np.uint8(2)


def test_arrays_are_what_a_folder_of_them_is(tmp_path: Path) -> None:
    images = photographs(12)
    for number, image in enumerate(images):
        write_image(tmp_path / f"{number:02d}.png", image)
    of_folder, of_arrays = load_data(str(tmp_path), SCALE), load_arrays(Images(images), SCALE)
    assert of_arrays.fingerprint == of_folder.fingerprint
    assert len(of_arrays.validation.pairs) == 2
    assert load_arrays(Images(np.stack([images[0]] * 3)), SCALE).training.pairs[0].hr.shape[2] == 3


@pytest.mark.parametrize("own_lr", [False, True])
@pytest.mark.parametrize("validation", [False, True])
def test_what_is_saved_is_read_as_the_same(tmp_path: Path, own_lr: bool, validation: bool) -> None:
    def some(seed: int) -> Images:
        hr = photographs(3, seed)
        return Images(hr, list(map(darkened, hr)) if own_lr else None)

    images = some(0)
    if validation:
        images = Images(images.hr, images.lr, some(1))
    for _ in range(2):  # what is there is replaced
        save_arrays(images, tmp_path / "images", SCALE)
    saved = load_arrays(images, SCALE, str(tmp_path / "images"))
    again = load_data(saved.name, SCALE)
    assert saved.fingerprint == again.fingerprint == load_arrays(images, SCALE).fingerprint
    assert [path.name for path in tmp_path.iterdir()] == ["images"]
    judged = validation_of(images, SCALE)
    assert len(judged.pairs) == 3
    if own_lr:
        assert (judged.pairs[0].lr == darkened(judged.pairs[0].hr)).all()


def test_what_is_too_small_is_left_out_and_said() -> None:
    hr = [np.zeros((50, 200, 3), np.uint8), *photographs(2)]
    data = load_arrays(Images(hr), SCALE)
    assert [skipped.name for skipped in data.training.skipped] == ["image 0"]
    assert "each side needs 99 pixels" in data.training.skipped[0].reason
    with pytest.raises(InputError, match=r"no usable image \(image 0: 200x50"):
        load_arrays(Images(hr[:1]), SCALE)
    with pytest.raises(InputError, match="at least 2"):
        load_arrays(Images(hr[:2]), SCALE)
    with pytest.raises(InputError, match="its LR image is 4x4, not"):
        validation_of(Images(hr[1:2], [np.zeros((4, 4, 3), np.uint8)]), SCALE)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((90, 90, 3), np.float32),
        np.zeros((90, 90), np.uint8),
        np.zeros((90, 90, 4), np.uint8),
        np.zeros((0, 90, 3), np.uint8),
    ],
)
def test_other_arrays_are_refused(wrong: npt.NDArray[np.uint8]) -> None:
    right = photographs(1)
    with pytest.raises(InputError, match=r"hr\[1\] is .*give uint8 RGB"):
        Images([*right, wrong])
    with pytest.raises(InputError, match=r"lr\[0\] is"):
        Images(right, [wrong])
    with pytest.raises(InputError, match="1 of hr, but 2 of lr"):
        Images(right, right * 2)
    with pytest.raises(InputError, match="omit those"):
        Images(right, validation=Images(right, validation=Images(right)))
    with pytest.raises(InputError, match="none given"):
        load_arrays(Images([]), SCALE)
