"""Decoded images on disk: found again, never trusted when damaged, never more than is allowed."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO

import numpy as np
import pytest

from latency_models import Worker, WorkerError
from nas.data import images as data
from nas.data.cache import CachedFolder, CacheError, ImageCache
from nas.data.images import (
    Data,
    ImageSet,
    SharedImages,
    load_data,
    load_images,
    load_validation,
    write_image,
)
from nas.data.pixels import Pixels
from nas.data.shared_memory import Index, PixelWriter, StoredImages
from nas.quality.notes import cautions
from search_spaces import InputError, NasError

SIDE = 120
ORIGIN = CachedFolder("photos", 3)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three photographs, and a cache with nothing in it."""
    monkeypatch.setenv("NAS_CACHE", str(tmp_path / "cache"))
    for number in range(3):
        write_image(tmp_path / "photos" / f"{number}.bmp", photo(number))
    return tmp_path / "photos"


@pytest.fixture
def cache(tmp_path: Path) -> ImageCache:
    return ImageCache(tmp_path / "cache", 10**9)


def photo(seed: int) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), np.uint8)


def refuse_to_decode(monkeypatch: pytest.MonkeyPatch) -> None:
    def load_pair(*arguments: object) -> None:
        raise AssertionError(f"{arguments} is decoded again")

    monkeypatch.setattr(data, "load_pair", load_pair)


def plain(images: ImageSet) -> ImageSet:
    """The same without any memory of its fingerprint."""
    return ImageSet(images.scale, images.pairs)


def writing(value: int, side: int = 10) -> Callable[[IO[bytes]], Index]:
    """Writes one image of that value: 3 side^2 bytes of LR, four times as many of HR."""

    def write(file: IO[bytes]) -> Index:
        writer = PixelWriter(file, 10)
        lr, hr = (np.full((length, length, 3), value, np.uint8) for length in (side, 2 * side))
        writer.add("a.png", lr, hr, is_flat=True)
        return writer.index()

    return write


def size_of(side: int) -> int:
    return 15 * side**2


def fetch(
    cache: ImageCache, name: str, value: int = 0, side: int = 10, size: int | None = None
) -> StoredImages:
    said = size_of(side) if size is None else size
    return cache.fetch("facts", CachedFolder(name, 3), lambda: said, writing(value, side))


def value_of(stored: StoredImages) -> int:
    return int(SharedImages(2, stored=stored).pairs[0].hr[0, 0, 0])


def test_the_second_start_decodes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "broken.png").write_bytes(b"")
    write_image(folder / "flat.png", np.zeros((SIDE, SIDE, 3), np.uint8))
    first = load_data(str(folder), 3)
    assert first.fingerprint == Data("", plain(first.training), plain(first.validation)).fingerprint
    whole = load_validation(str(folder), 3)
    assert whole.fingerprint == plain(whole).fingerprint
    refuse_to_decode(monkeypatch)
    again = load_data(str(folder), 3)
    assert again.fingerprint == first.fingerprint
    assert again.training.skipped == first.training.skipped != ()
    assert again.training.flat == ("flat.png",)
    for before, after in zip(first.training.pairs, again.training.pairs, strict=True):
        assert after.name == before.name
        np.testing.assert_array_equal(after.lr, before.lr)
        np.testing.assert_array_equal(after.hr, before.hr)


def test_another_scale_is_another_entry(folder: Path) -> None:
    assert load_images(folder, 2).pairs[0].lr.shape != load_images(folder, 3).pairs[0].lr.shape


def time_set_back(folder: Path) -> None:
    path = folder / "1.bmp"
    before = path.stat()
    write_image(path, photo(9))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def with_own_lr(folder: Path) -> None:
    for number in range(3):
        write_image(folder / f"{number}_LR.bmp", photo(number)[: SIDE // 3, : SIDE // 3])


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: write_image(folder / "1.bmp", photo(9)),
        lambda folder: write_image(folder / "3.bmp", photo(9)),
        lambda folder: (folder / "1.bmp").unlink(),
        lambda folder: shutil.copyfile(folder / "2.bmp", folder / "1.bmp"),
        lambda folder: (folder / "2.bmp").replace(folder / "1.bmp"),
        with_own_lr,
        time_set_back,
    ],
    ids=["changed", "added", "removed", "overwritten", "replaced", "own LR", "time set back"],
)
def test_files_that_change_are_decoded_again(
    folder: Path, change: Callable[[Path], object]
) -> None:
    before = load_images(folder, 3).fingerprint
    change(folder)
    after = load_images(folder, 3)
    assert after.fingerprint == plain(after).fingerprint != before


def test_files_that_have_changed_make_room_unless_in_use(folder: Path, tmp_path: Path) -> None:
    before = load_images(folder, 3)
    load_images(folder, 2)
    write_image(folder / "1.bmp", photo(9))
    changed = load_images(folder, 3).fingerprint
    entries = list((tmp_path / "cache" / "images").iterdir())
    assert len(entries) == 3
    assert plain(before).fingerprint == before.fingerprint != changed
    del before
    (folder / "1.bmp").unlink()
    load_images(folder, 3)
    assert len(list((tmp_path / "cache" / "images").iterdir())) == 2


def test_a_folder_without_a_usable_image_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    write_image(tmp_path / "small" / "s.png", np.zeros((9, 9, 3), np.uint8))
    with pytest.raises(InputError, match=r"no usable image \(s\.png: 9x9 is too small"):
        load_images(tmp_path / "small", 3)
    assert not list((tmp_path / "cache" / "images").iterdir())


def overwritten(entry: Path) -> None:
    with (entry / "pixels").open("r+b") as file:
        file.write(b"\x01\x02")


def renamed_image(entry: Path) -> None:
    index = entry / "index.json"
    index.write_text(index.read_text().replace("0.bmp", "7.bmp"))


@pytest.mark.parametrize(
    "damage",
    [
        lambda entry: os.truncate(entry / "pixels", 1000),
        lambda entry: os.truncate(entry / "pixels", 0),
        overwritten,
        lambda entry: (entry / "pixels").unlink(),
        lambda entry: os.truncate(entry / "index.json", 100),
        lambda entry: (entry / "index.json").write_text("[]"),
        lambda entry: (entry / "index.json").write_bytes(b"\xff"),
        lambda entry: (entry / "index.json").unlink(),
        renamed_image,
    ],
)
def test_what_is_damaged_is_made_anew(
    folder: Path, tmp_path: Path, damage: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = load_images(folder, 3)
    fingerprint, names = before.fingerprint, [pair.name for pair in before.pairs]
    del before
    [entry] = (tmp_path / "cache" / "images").iterdir()
    damage(entry)
    after = load_images(folder, 3)
    assert plain(after).fingerprint == after.fingerprint == fingerprint
    assert [pair.name for pair in after.pairs] == names
    refuse_to_decode(monkeypatch)
    assert load_images(folder, 3).fingerprint == fingerprint


def killed_while_writing(cache: ImageCache, name: str) -> None:
    def write(file: IO[bytes]) -> Index:
        file.write(bytes(1000))
        file.flush()
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    cache.fetch("facts", CachedFolder(name, 3), lambda: 0, write)


@pytest.mark.parametrize("next_one", ["the same", "another"])
def test_what_a_killed_process_left_is_not_read_and_removed(
    cache: ImageCache, next_one: str
) -> None:
    with Worker() as worker, pytest.raises(WorkerError):
        worker.call(60, killed_while_writing, cache, "the same")
    assert len(list(cache.folder.glob("*.part"))) == 1
    assert not cache.entries()
    assert value_of(fetch(cache, next_one, 7)) == 7
    assert len(list(cache.folder.iterdir())) == len(cache.entries()) == 1


def test_two_that_want_the_same_write_it_once(cache: ImageCache) -> None:
    written, second_began = [], threading.Event()
    found: list[int] = []

    def write(file: IO[bytes]) -> Index:
        written.append(file)
        second_began.wait(10)
        return writing(5)(file)

    def want() -> None:
        found.append(value_of(cache.fetch("facts", ORIGIN, lambda: 0, write)))

    first, second = threading.Thread(target=want), threading.Thread(target=want)
    first.start()
    second.start()
    second_began.set()
    first.join()
    second.join()
    assert found == [5, 5]
    assert len(written) == 1
    assert len(list(cache.folder.iterdir())) == 1


def test_what_was_used_last_stays(tmp_path: Path) -> None:
    cache = ImageCache(tmp_path, 3 * size_of(10))
    for number, name in enumerate("abc"):
        fetch(cache, name, number)
        [entry] = [e for e in cache.entries() if value_of_entry(e.path) == number]
        os.utime(entry.path / "index.json", (number, number))
    fetch(cache, "a")  # used again
    fetch(cache, "d", 3)
    assert {value_of_entry(entry.path) for entry in cache.entries()} == {0, 2, 3}


def value_of_entry(path: Path) -> int:
    return (path / "pixels").read_bytes()[0]


def test_what_is_in_use_is_not_removed(tmp_path: Path) -> None:
    cache = ImageCache(tmp_path, 2 * size_of(10))
    held = SharedImages(2, stored=fetch(cache, "held", 1)).pairs[0].hr  # one view is enough
    fetch(cache, "free", 2)
    assert [entry.in_use for entry in cache.entries()] == [True, False]
    fetch(cache, "new", 3)
    assert sorted(value_of_entry(entry.path) for entry in cache.entries()) == [1, 3]
    assert [value_of_entry(entry.path) for entry in cache.entries() if entry.in_use] == [1]
    with pytest.raises(CacheError, match="no room"):
        fetch(cache, "large", 4, side=14)
    assert len(cache.clear()) == 1
    assert held[0, 0, 0] == 1
    del held
    assert len(cache.clear()) == 1
    assert not list(tmp_path.iterdir())


def test_nothing_is_removed_in_vain(tmp_path: Path) -> None:
    cache = ImageCache(tmp_path, 2 * size_of(10))
    fetch(cache, "a")
    with pytest.raises(CacheError, match="its limit is"):
        fetch(cache, "large", size=3 * size_of(10))
    assert len(cache.entries()) == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_the_disk_is_not_filled(cache: ImageCache, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(Path.cwd())._replace(free=51 * 10**8)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    fetch(cache, "small", size=9 * 10**7)
    with pytest.raises(CacheError, match="the disk is full"):
        fetch(cache, "large", size=11 * 10**7)


def test_other_files_are_left_alone(cache: ImageCache) -> None:
    fetch(cache, "a")
    other = [cache.folder / name for name in ("notes.txt", "x.part", "my.lock", "photos/1.png")]
    for path in other:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    assert len(cache.clear()) == 1
    assert all(path.read_text() == "mine" for path in other)


def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def fsync(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)


def no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(os.environ["NAS_CACHE"]).write_text("a file")


def no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def home() -> Path:
        raise RuntimeError("no home")

    monkeypatch.setenv("NAS_CACHE", "")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", home)


@pytest.mark.parametrize(
    ("prevent", "word"),
    [
        (full_disk, "No space left on device"),
        (no_folder, "Not a directory"),
        (no_home, "name one by NAS_CACHE"),
        (lambda patch: patch.setenv("NAS_CACHE_GB", "0"), "its limit is 0 GB"),
    ],
)
def test_without_a_cache_they_are_kept_in_memory_with_a_word(
    folder: Path, monkeypatch: pytest.MonkeyPatch, prevent: Callable[..., None], word: str
) -> None:
    prevent(monkeypatch)
    loaded = load_data(str(folder), 3)
    [line] = cautions(loaded.training)
    assert line.startswith("kept in memory")
    assert word in line
    assert not cautions(loaded.validation)
    with Worker() as worker:
        assert worker.call(60, fingerprint_of, loaded) == loaded.fingerprint
    assert plain(loaded.training).fingerprint == loaded.training.fingerprint


def fingerprint_of(data: Data) -> str:
    return Data("", plain(data.training), plain(data.validation)).fingerprint


def test_more_than_either_holds_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_CACHE_GB", "0")
    monkeypatch.setattr("nas.data.storage.available_bytes", lambda: 1000)
    with pytest.raises(NasError, match=r"more than fits into memory, and not cached: .* 0 GB"):
        load_images(folder, 3)


@pytest.mark.parametrize("text", ["much", "-1", "nan", "inf"])
def test_a_limit_that_is_none(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("NAS_CACHE_GB", text)
    with pytest.raises(InputError, match=f"NAS_CACHE_GB={text}"):
        load_images(folder, 3)


@pytest.mark.parametrize(
    ("own", "caches", "expected"),
    [
        ("/scratch/x", "/caches", "/scratch/x/images"),
        ("~/x", "/caches", "/home/me/x/images"),
        ("", "/caches", "/caches/npu-nas/images"),
        ("", "relative", "/home/me/.cache/npu-nas/images"),
        ("", "", "/home/me/.cache/npu-nas/images"),
    ],
)
def test_where_it_is(monkeypatch: pytest.MonkeyPatch, own: str, caches: str, expected: str) -> None:
    monkeypatch.setenv("NAS_CACHE", own)
    monkeypatch.setenv("XDG_CACHE_HOME", caches)
    monkeypatch.setenv("HOME", "/home/me")
    assert ImageCache.of_user().folder == Path(expected)
