"""Archives fetched over a real connection, from a server on loopback."""

from __future__ import annotations

import hashlib
import io
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nas.data import div2k
from nas.data.div2k import Archive, Subset, fetch, official
from nas.data.images import load_data
from search_spaces import InputError, NasError

from ..commands import ROOT
from .range_server import Site, serving

IMAGES = 3


def png(seed: int, side: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


def archive_of(name: str, folder: str, content: bytes, images: int = IMAGES) -> Archive:
    return Archive(name, folder, images, len(content), hashlib.sha256(content).hexdigest())


FOLDERS = {
    "DIV2K_train_HR": "DIV2K_train_HR",
    "DIV2K_valid_HR": "DIV2K_valid_HR",
    "DIV2K_train_LR_bicubic_X3": "DIV2K_train_LR_bicubic/X3",
    "DIV2K_valid_LR_bicubic_X3": "DIV2K_valid_LR_bicubic/X3",
}
CONTENTS = {
    name: zipped(
        {f"{folder}/": b"", "__MACOSX/._0001.png": b"no image"}
        | {
            f"{folder}/{index:04}{'x3' if 'LR' in name else ''}.png": png(
                index, 33 if "LR" in name else 99
            )
            for index in range(1, IMAGES + 1)
        }
    )
    for name, folder in FOLDERS.items()
}
ARCHIVES = tuple(archive_of(name, folder, CONTENTS[name]) for name, folder in FOLDERS.items())
HR = ARCHIVES[0]
WHOLE = CONTENTS[HR.name]


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(div2k, "_PAUSE_SECONDS", 0.0)
    with serving(Site({f"/{name}.zip": content for name, content in CONTENTS.items()})) as site:
        yield site


def test_everything_is_unpacked_where_training_finds_it(site: Site, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    folders = fetch(tmp_path / "new", ARCHIVES, site.url, lambda *event: told.append(event))
    assert folders == tuple(tmp_path / "new" / folder for folder in FOLDERS.values())
    data = load_data(str(tmp_path / "new"), 3)
    assert [pair.name for pair in data.training.pairs] == ["0001.png", "0002.png", "0003.png"]
    with Image.open(io.BytesIO(png(2, 33))) as image:
        np.testing.assert_array_equal(data.validation.pairs[1].lr, np.asarray(image))
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(
        {folder.split("/")[0] for folder in FOLDERS.values()}
    )
    assert {what for what, _, _ in told} >= {"DIV2K_train_HR.zip", "unpacking DIV2K_train_HR"}
    assert all(done <= total for _, done, total in told)


def test_what_is_there_is_not_fetched_again(site: Site, tmp_path: Path) -> None:
    fetch(tmp_path, [HR], site.url)
    fetch(tmp_path, ARCHIVES, site.url)
    assert [path for path, _ in site.requests].count("/DIV2K_train_HR.zip") == 1
    fetch(tmp_path, ARCHIVES, "http://127.0.0.1:9")


def test_a_broken_connection_is_taken_up_again(site: Site, tmp_path: Path) -> None:
    site.limits = [40_000, 100, 35_000]
    fetch(tmp_path, [HR], site.url)
    firsts = [first for _, first in site.requests]
    assert len(firsts) == 4
    assert 0 < firsts[1] <= firsts[2] < firsts[3] < HR.bytes
    assert len(list((tmp_path / HR.folder).iterdir())) == IMAGES


def test_the_next_run_goes_on_where_the_last_one_stopped(site: Site, tmp_path: Path) -> None:
    site.limits = [40_000, 0, 0, 0, 0]
    with pytest.raises(NasError, match=rf" of {HR.bytes} bytes are kept"):
        fetch(tmp_path, [HR], site.url)
    assert not (tmp_path / HR.folder).exists()
    held = (tmp_path / f".download/{HR.name}.zip.part").stat().st_size
    assert held > 0
    site.requests.clear()
    site.limits.clear()
    fetch(tmp_path, [HR], site.url)
    assert site.requests == [("/DIV2K_train_HR.zip", held)]
    assert not (tmp_path / ".download").exists()


def test_a_server_without_ranges_sends_everything_again(site: Site, tmp_path: Path) -> None:
    site.limits, site.knows_ranges = [40_000], False
    fetch(tmp_path, [HR], site.url)
    assert [first > 0 for _, first in site.requests] == [False, True]
    assert len(list((tmp_path / HR.folder).iterdir())) == IMAGES


def test_a_server_that_never_comes_further_is_given_up(site: Site, tmp_path: Path) -> None:
    site.limits, site.knows_ranges = [70_000, 40_000] * 10, False
    with pytest.raises(NasError, match="bytes are kept"):
        fetch(tmp_path, [HR], site.url)
    assert len(site.requests) < 10


FETCH = """
import sys
from pathlib import Path
from nas.data.div2k import Archive, fetch
name, folder, images, size, digest = sys.argv[3:]
fetch(Path(sys.argv[1]), [Archive(name, folder, int(images), int(size), digest)], sys.argv[2])
"""


def test_killed_in_the_middle(tmp_path: Path) -> None:
    content = zipped({f"{i}.png": bytes([i]) * 3_000_000 for i in range(IMAGES)})
    big = archive_of("big", "big", content)
    partial = tmp_path / ".download/big.zip.part"
    with serving(Site({"/big.zip": content}, limits=[4_000_000, 0, 0, 0, 0])) as site:
        words = map(str, (tmp_path, site.url, *vars(big).values()))
        # The first answer stops halfway, and those after it before their first byte.
        process = subprocess.Popen([sys.executable, "-c", FETCH, *words], cwd=ROOT)
        while not partial.exists() or partial.stat().st_size < 3_900_000:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        held = partial.stat().st_size
        site.requests.clear()
        site.limits.clear()
        fetch(tmp_path, [big], site.url)
    assert site.requests == [("/big.zip", held)]
    assert (tmp_path / "big/2.png").read_bytes() == b"\2" * 3_000_000
    assert [path.name for path in tmp_path.iterdir()] == ["big"]


def test_a_wrong_checksum(site: Site, tmp_path: Path) -> None:
    spoiled = bytearray(WHOLE)
    spoiled[5000] ^= 1
    site.files["/DIV2K_train_HR.zip"] = bytes(spoiled)
    with pytest.raises(NasError, match="SHA-256 is not that of the official archive"):
        fetch(tmp_path, [HR], site.url)
    assert not list((tmp_path / ".download").iterdir())
    site.files["/DIV2K_train_HR.zip"] = WHOLE
    fetch(tmp_path, [HR], site.url)


def test_another_file_of_another_length(site: Site, tmp_path: Path) -> None:
    site.files["/DIV2K_train_HR.zip"] = WHOLE + b"more"
    with pytest.raises(NasError, match="SHA-256"):
        fetch(tmp_path, [HR], site.url)
    site.files["/DIV2K_train_HR.zip"] = WHOLE[:-9]
    with pytest.raises(NasError, match="416"):
        fetch(tmp_path, [HR], site.url)


@pytest.mark.parametrize(("status", "said"), [(403, "403"), (503, "503")])
def test_a_server_that_refuses(site: Site, tmp_path: Path, status: int, said: str) -> None:
    site.status = status
    with pytest.raises(NasError, match=said):
        fetch(tmp_path, [HR], site.url)


def test_no_server(site: Site, tmp_path: Path) -> None:
    with pytest.raises(NasError, match=r"127\.0\.0\.1"):
        fetch(tmp_path, [HR], "http://127.0.0.1:9")
    with pytest.raises(NasError, match="nowhere"):
        fetch(tmp_path, [HR], "nowhere")


def test_a_disk_that_is_too_small_is_told_beforehand(site: Site, tmp_path: Path) -> None:
    with pytest.raises(NasError, match=r"GB are free, 2000000000\.0 GB are needed"):
        fetch(tmp_path, [replace(HR, bytes=10**18)], site.url)
    assert not site.requests


def test_a_disk_that_fills_up(site: Site, tmp_path: Path) -> None:
    (tmp_path / ".download").mkdir()
    (tmp_path / f".download/{HR.name}.zip.part").symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"No space left on device: .*zip\.part"):
        fetch(tmp_path, [HR], site.url)
    assert not (tmp_path / HR.folder).exists()


def test_an_archive_that_is_not_what_it_says(site: Site, tmp_path: Path) -> None:
    for content, said in (
        (b"no zip at all", "damaged"),
        (zipped({"a.png": png(0, 9)}), "holds 1 images, not 3"),
    ):
        site.files["/x.zip"] = content
        with pytest.raises(NasError, match=said):
            fetch(tmp_path, [archive_of("x", "x", content)], site.url)
        assert not (tmp_path / "x").exists()
        (tmp_path / ".download/x.zip").unlink()


def test_a_member_with_a_wrong_crc(site: Site, tmp_path: Path) -> None:
    content = bytearray(zipped({f"{i}.png": bytes(1000) for i in range(IMAGES)}))
    content[500] ^= 1
    site.files["/x.zip"] = bytes(content)
    with pytest.raises(NasError, match="CRC"):
        fetch(tmp_path, [archive_of("x", "x", bytes(content))], site.url)
    assert not (tmp_path / "x").exists()


def test_members_stay_in_their_folder(site: Site, tmp_path: Path) -> None:
    content = zipped({f"../../{i}.png": b"x" for i in range(IMAGES)})
    site.files["/x.zip"] = content
    fetch(tmp_path / "deep/down", [archive_of("x", "x", content)], site.url)
    assert len(list((tmp_path / "deep/down/x").iterdir())) == IMAGES
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]


def test_a_folder_that_holds_something_else(site: Site, tmp_path: Path) -> None:
    (tmp_path / HR.folder).mkdir()
    (tmp_path / HR.folder / "mine.png").write_bytes(b"")
    with pytest.raises(InputError, match="holds 1 PNG images, DIV2K has 3"):
        fetch(tmp_path, [HR], site.url)


def test_the_official_archives() -> None:
    everything = official(list(Subset), [2, 3, 4])
    assert len({archive.sha256 for archive in everything}) == len(everything) == 8
    assert {archive.images for archive in everything} == {800, 100}
    assert [archive.folder for archive in official([Subset.VALID], [4])] == [
        "DIV2K_valid_HR", "DIV2K_valid_LR_bicubic/X4",
    ]  # fmt: skip
    with pytest.raises(InputError, match="scale 8"):
        official(list(Subset), [8])
