"""Images with a teacher's share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nas.data.images import ImageSet, degrade, load_images, write_image
from nas.data.pixels import Pixels
from nas.data.taught import TEACHER_SHARE, taught

SIDE = 120
TEACHER = "0123456789abcdef"


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ImageSet:
    """Three photographs, and a cache of their own."""
    monkeypatch.setenv("NAS_CACHE", str(tmp_path / "cache"))
    for number in range(3):
        chance = np.random.default_rng(number)
        pixels = chance.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
        write_image(tmp_path / "photos" / f"{number}.png", pixels)
    return load_images(tmp_path / "photos", 3)


def enlarged(lr: Pixels) -> Pixels:
    return lr.repeat(3, 0).repeat(3, 1)


def untold(made: int, images: int) -> None:
    pass


def test_high_resolution_lies_between_the_photograph_and_the_teacher(images: ImageSet) -> None:
    told: list[tuple[int, int]] = []
    mixed = taught(images, TEACHER, enlarged, lambda made, count: told.append((made, count)))
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert [pair.name for pair in mixed.pairs] == [pair.name for pair in images.pairs]
    for before, after in zip(images.pairs, mixed.pairs, strict=True):
        assert np.array_equal(after.lr, before.lr)
        between = (1 - TEACHER_SHARE) * before.hr + TEACHER_SHARE * enlarged(before.lr)
        assert np.abs(after.hr - between).max() <= 0.5


def test_what_a_teacher_has_made_is_kept(images: ImageSet) -> None:
    def never(lr: Pixels) -> Pixels:
        raise AssertionError("it is asked again")

    first = taught(images, TEACHER, enlarged, untold)
    assert taught(images, TEACHER, never, untold).fingerprint == first.fingerprint
    with pytest.raises(AssertionError, match="asked again"):
        taught(images, "another", never, untold)
    with pytest.raises(AssertionError, match="asked again"):
        taught(ImageSet(3, (degrade(images.pairs[0].hr, 3),)), TEACHER, never, untold)


def test_a_full_cache_is_no_end(images: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_CACHE_GB", "0")
    mixed = taught(images, TEACHER, enlarged, untold)
    assert len(mixed.pairs) == 3
    assert any("kept in memory" in remark for remark in mixed.remarks)
