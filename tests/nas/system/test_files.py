"""Files are there whole or not at all, whatever their name leads to."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from nas.system.files import write_whole, writing


def test_a_link_stays_one_and_its_file_is_replaced(tmp_path: Path) -> None:
    real, link = tmp_path / "real/report.html", tmp_path / "link.html"
    link.symlink_to("real/report.html")
    for content in (b"first", b"second"):  # the first time it leads nowhere
        write_whole(link, content)
        assert link.is_symlink()
        assert real.read_bytes() == content
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["link.html", "real", "report.html"]


def test_what_is_no_file_is_written_to(tmp_path: Path) -> None:
    write_whole(Path("/dev/null"), b"nothing")
    assert Path("/dev/null").is_char_device()
    pipe, received = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()
    write_whole(pipe, b"through")
    reader.join(timeout=10)
    assert received == [b"through"]
    assert pipe.is_fifo()


def test_a_name_may_be_as_long_as_the_disk_allows(tmp_path: Path) -> None:
    path = tmp_path / f"{'n' * 251}.png"
    write_whole(path, b"long")
    assert path.read_bytes() == b"long"
    with pytest.raises(OSError, match="File name too long") as caught:
        write_whole(tmp_path / ("n" * 256), b"too long")
    assert caught.value.filename == str(tmp_path / ("n" * 256))
    assert list(tmp_path.iterdir()) == [path]


def test_what_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_whole(path, b"old")

    def write(content: bytes) -> None:
        with writing(path) as temporary:
            temporary.write_bytes(content)
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left") as caught:
        write(b"new")
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path, b"a folder")
