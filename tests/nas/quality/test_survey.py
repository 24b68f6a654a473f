"""What is said about folders, good and bad."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nas.data.images import MIN_LR_SIDE, degrade, load_data, write_image
from nas.data.pixels import Pixels
from nas.quality.survey import Kind, Survey, survey
from search_spaces import InputError

from ..data.picture_files import png16

SIDE = 3 * MIN_LR_SIDE


def photo(seed: int, height: int = SIDE, width: int = SIDE + 6) -> Pixels:
    small = np.random.default_rng(seed).integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height)))


def wrong(found: Survey) -> dict[str, str]:
    return {problem.file.name: problem.what for problem in found.problems}


def test_a_sound_folder(tmp_path: Path) -> None:
    for seed in range(12):
        write_image(tmp_path / f"{seed:02}.png", photo(seed, SIDE + seed))
    found = survey(tmp_path, 3)
    assert not found.problems
    [part] = found.parts
    assert (part.name, part.images, part.usable, part.lr_folder) == ("all", 12, 12, None)
    assert part.kinds == ((Kind("PNG", "RGB", 8), 12),)
    assert (part.smallest, part.largest) == ((SIDE + 6, SIDE), (SIDE + 6, SIDE + 11))
    data = load_data(str(tmp_path), 3)
    assert found.fingerprint == data.fingerprint
    assert part.pixels == data.training.pixels + data.validation.pixels


def div2k(folder: Path) -> None:
    """Two parts in DIV2K's manner, with LR images of their own."""
    for part, numbers in (("train", (1, 2, 3)), ("valid", (801,))):
        for number in numbers:
            pair = degrade(photo(number), 3)
            write_image(folder / f"DIV2K_{part}_HR/{number:04}.png", pair.hr)
            low = folder / f"DIV2K_{part}_LR_bicubic/X3"
            write_image(low / f"{number:04}x3.png", pair.lr ^ np.uint8(1))


def test_div2k_s_own_layout(tmp_path: Path) -> None:
    div2k(tmp_path)
    found = survey(tmp_path, 3)
    assert not found.problems
    assert [(part.name, part.usable) for part in found.parts] == [("train", 3), ("valid", 1)]
    assert found.parts[1].lr_folder == tmp_path / "DIV2K_valid_LR_bicubic/X3"
    assert found.fingerprint == load_data(str(tmp_path), 3).fingerprint
    made = survey(tmp_path, 2)
    assert made.parts[0].lr_folder is None
    assert made.fingerprint == load_data(str(tmp_path), 2).fingerprint


def test_what_is_wrong_with_lr_images(tmp_path: Path) -> None:
    div2k(tmp_path)
    low = tmp_path / "DIV2K_train_LR_bicubic/X3"
    (low / "0001x3.png").rename(low / "0099x3.png")
    write_image(low / "0002x3.png", photo(2, 40, 40))
    write_image(low / "0003x3.png", degrade(photo(4), 3).lr)
    said = wrong(survey(tmp_path, 3))
    assert set(said) == {"0001.png", "0002.png", "0003.png", "0099x3.png"}
    assert said["0001.png"] == f"no LR image for it in {low}"
    assert "0002x3.png is 40x40, not 35x33" in said["0002.png"]
    assert "shows something else" in said["0003.png"]
    assert "without its HR image" in said["0099x3.png"]


def test_broken_small_and_deep_images(tmp_path: Path) -> None:
    for seed in range(3):
        write_image(tmp_path / f"good{seed}.png", photo(seed))
    write_image(tmp_path / "small.png", photo(8, 40, 300))
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    whole = (tmp_path / "good0.png").read_bytes()
    (tmp_path / "torn.png").write_bytes(whole[: len(whole) // 2])
    levels = photo(9).astype(np.uint16) * 257
    Image.fromarray(levels[..., 0]).save(tmp_path / "grey16.png")
    (tmp_path / "rgb16.png").write_bytes(png16(levels))
    (tmp_path / "notes.txt").write_text("no image")
    found = survey(tmp_path, 3)
    said = wrong(found)
    assert set(said) == {"small.png", "broken.jpg", "torn.png"}
    assert f"each side needs {SIDE} pixels" in said["small.png"]
    assert said["broken.jpg"].startswith("cannot be read")
    [part] = found.parts
    assert (part.images, part.usable) == (8, 5)
    assert dict(part.kinds)[Kind("PNG", "RGB", 16)] == 1
    assert part.other_endings == ((".txt", 1),)
    assert found.fingerprint == load_data(str(tmp_path), 3).fingerprint


def test_the_same_photograph_twice_even_in_both_parts(tmp_path: Path) -> None:
    for name, seed in (("train/a", 1), ("train/b", 2), ("train/c", 1), ("valid/d", 2)):
        write_image(tmp_path / f"{name}.png", photo(seed))
    found = survey(tmp_path, 3)
    assert wrong(found) == {
        "c.png": f"the same pixels as {tmp_path / 'train/a.png'}",
        "d.png": f"the same pixels as {tmp_path / 'train/b.png'}",
    }


def test_flat_images_are_named(tmp_path: Path) -> None:
    for seed in range(3):
        write_image(tmp_path / f"{seed}.png", photo(seed))
    almost = np.zeros((SIDE, SIDE, 3), np.uint8)
    write_image(tmp_path / "black.png", almost)
    write_image(tmp_path / "green.png", almost + np.array([0, 99, 0], np.uint8))
    almost[-1, -1, -1] = 1
    write_image(tmp_path / "almost.png", almost)
    said = wrong(survey(tmp_path, 3))
    assert set(said) == {"black.png", "green.png"}
    assert all(what.startswith("flat, ") for what in said.values())


def test_frames_that_are_not_read_are_named(tmp_path: Path) -> None:
    first, other = (Image.fromarray(photo(seed)) for seed in (0, 1))
    first.save(tmp_path / "a.png", save_all=True, append_images=[other])
    first.transpose(Image.Transpose.ROTATE_90).save(
        tmp_path / "b.tiff", save_all=True, append_images=[other, other]
    )
    first.transpose(Image.Transpose.ROTATE_180).save(
        tmp_path / "c.jpg", "MPO", save_all=True, append_images=[other]
    )
    write_image(tmp_path / "d.png", photo(2))
    found = survey(tmp_path, 3)
    assert not found.problems
    assert found.parts[0].remarks == (
        f"{tmp_path / 'a.png'}: only the first of 2 frames or pages is read",
        f"{tmp_path / 'b.tiff'}: only the first of 3 frames or pages is read",
    )


def test_a_pipe_among_images_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    write_image(tmp_path / "pipe_LRx3.png", photo(0))
    for seed in range(2):
        write_image(tmp_path / f"{seed}.png", photo(seed))
    assert "named pipe" in wrong(survey(tmp_path, 3))["pipe.png"]
    assert len(load_data(str(tmp_path), 3).training.pairs) == 1


def test_too_few_images(tmp_path: Path) -> None:
    assert "0 usable images, at least 2" in wrong(survey(tmp_path, 3))[tmp_path.name]
    for name in ("one", "two"):
        write_image(tmp_path / name / "a.png", photo(1))
    found = survey(tmp_path, 3)
    assert "0 usable images, at least 2" in wrong(found)[tmp_path.name]
    assert found.parts[0].remarks == ("images in folders within are not read: one, two",)
    write_image(tmp_path / "a.png", photo(1))
    found = survey(tmp_path, 3)
    assert "1 usable images, at least 2" in wrong(found)[tmp_path.name]
    assert found.fingerprint is None
    (tmp_path / "train").mkdir()
    write_image(tmp_path / "valid/a.png", photo(1))
    assert set(wrong(survey(tmp_path, 3))) == {"train"}


def test_progress_is_told(tmp_path: Path) -> None:
    div2k(tmp_path)
    told: list[tuple[str, int, int]] = []
    survey(tmp_path, 3, lambda *event: told.append(event))
    assert told == [("train", 1, 3), ("train", 2, 3), ("train", 3, 3), ("valid", 1, 1)]


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        survey(tmp_path / "none", 3)
