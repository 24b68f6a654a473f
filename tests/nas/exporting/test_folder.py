"""Folders of exports: repeated after any end, replaced by the next, nobody else's touched."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nas.exporting import folder as folders
from nas.exporting.folder import remove_stale, require_free, require_writable, write_folder
from nas.system.files import write_whole
from search_spaces import InputError

CONTENT = {
    "model.tflite": b"model",
    "card.json": b'{"origin": "study s, trial 3"}',
    "RUN.md": b"run",
}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_checksums_come_last_and_tell_every_file(tmp_path: Path) -> None:
    files = write_folder(tmp_path / "out", CONTENT)
    assert {path.name for path in files} == names(tmp_path / "out") == {*CONTENT, "SHA256SUMS"}
    for line in (tmp_path / "out/SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        assert digest == hashlib.sha256(CONTENT[name]).hexdigest()


@pytest.mark.parametrize("written", range(5))
def test_one_that_was_cut_off_is_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    """A disk that is full after some files."""
    out, whole = tmp_path / "out", write_whole
    left = written

    def write(path: Path, content: bytes) -> None:
        nonlocal left
        if not left:
            raise OSError(28, "No space left on device", str(path))
        left -= 1
        whole(path, content)

    write_folder(out, {**CONTENT, "int8_90x160.tflite": b"an earlier one"})
    monkeypatch.setattr(folders, "write_whole", write)
    with pytest.raises(OSError, match="No space left"):
        write_folder(out, CONTENT)
    require_free(out)
    assert (out / "SHA256SUMS").exists() is (written == 0)
    monkeypatch.setattr(folders, "write_whole", whole)
    write_folder(out, CONTENT)
    assert names(out) == {*CONTENT, "SHA256SUMS"}


def test_exports_at_the_same_time_replace_each_other_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, whole = tmp_path / "out", write_whole

    def write(path: Path, content: bytes) -> None:
        whole(path, content)
        time.sleep(0.01)

    monkeypatch.setattr(folders, "write_whole", write)
    contents = [dict.fromkeys(CONTENT, b"%d" % number) for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda content: write_folder(out, content), contents))
    assert names(out) == {*CONTENT, "SHA256SUMS"}
    assert {name: (out / name).read_bytes() for name in CONTENT} in contents


def test_a_folder_whose_lock_a_killed_process_held_is_free(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys, time; from nas.system.locks import folder_lock\n"
        "with folder_lock(pathlib.Path(sys.argv[1])): print(flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"
        process.kill()
    require_free(tmp_path)
    write_folder(tmp_path, CONTENT)
    assert names(tmp_path) == {*CONTENT, "SHA256SUMS"}


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    require_free(tmp_path / "new")
    require_free(tmp_path)
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(InputError, match="holds other files"):
        require_free(tmp_path)
    with pytest.raises(InputError, match="is a file"):
        require_free(tmp_path / "letter.txt")
    with pytest.raises(InputError, match=r"letter\.txt is a file"):
        require_writable(tmp_path / "letter.txt" / "within" / "it")


def test_networks_that_left_the_front_are_removed(tmp_path: Path) -> None:
    def export(name: str, origin: str) -> Path:
        card = f'{{"origin": "{origin}"}}'.encode()
        write_folder(tmp_path / name, {**CONTENT, "card.json": card})
        return tmp_path / name

    kept = export("rank01-trial0003", "study s, trial 3")
    export("rank02-trial0007", "study s, trial 7")
    changed = export("rank03-trial0009", "study s, trial 9")
    (changed / "mine.txt").write_text("a person's")
    cut_off = export("rank04-trial0011", "study s, trial 11")
    (cut_off / "SHA256SUMS").rename(cut_off / "UNFINISHED")
    (cut_off / "card.json").unlink()
    (cut_off / "UNFINISHED").write_text("\n".join(CONTENT))
    others = {
        export("rank01-trial0001", "study s2, trial 1"),
        export("best", "study s, trial 3"),
    }
    (tmp_path / "rank09-trial0001").mkdir()
    (tmp_path / "rank09-trial0001/letter.txt").write_text("dear")

    remove_stale(tmp_path, [kept], "study s, trial ")
    assert names(tmp_path) == {
        "rank01-trial0003", "rank03-trial0009", "rank09-trial0001", *(path.name for path in others),
    }  # fmt: skip
    assert names(changed) == {"mine.txt"}
    assert names(kept) == {*CONTENT, "SHA256SUMS"}
