"""``nas data``: what it prints, and what it exits with."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from nas.cli import main
from nas.data import div2k
from nas.data.images import load_data, write_image

from .console import Console, write_photos
from .data.range_server import Site, serving
from .data.test_div2k import ARCHIVES, CONTENTS


def said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: int, *words: str
) -> str:
    """Standard output of a command that exits with ``code``."""
    monkeypatch.setattr(sys, "argv", ["nas", *words])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == code
    return capsys.readouterr().out


def test_check_says_what_a_folder_holds(
    console: Console, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_photos(Path("photos"), count=3)
    fingerprint = load_data("photos", 3).fingerprint
    found = json.loads(said(monkeypatch, capsys, 0, "data", "check", "photos", "--json"))
    assert found["fingerprint"] == fingerprint
    assert found["problems"] == []
    [part] = found["parts"]
    assert (part["images"], part["usable"], part["smallest"]) == (3, 3, [120, 120])
    assert part["kinds"] == [{"format": "PNG", "mode": "RGB", "bits": 8, "files": 3}]
    table = said(monkeypatch, capsys, 0, "data", "check", "photos")
    assert fingerprint in table
    assert "3 x PNG RGB 8-bit" in table


def test_check_exits_with_1_if_something_is_wrong(
    console: Console, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_photos(Path("photos"), count=3)
    Path("photos/broken.png").write_bytes(b"")
    write_image(Path("photos/tiny.png"), np.zeros((9, 9, 3), np.uint8))
    lines = said(monkeypatch, capsys, 1, "data", "check", "photos").splitlines()
    wrong = [line.split(":")[0] for line in lines if line.startswith("WRONG")]
    assert wrong == [
        f"WRONG  {Path('photos', name).resolve()}" for name in ("broken.png", "tiny.png")
    ]
    console.refuse(2, "nowhere: no such folder", "data", "check", "nowhere")


def test_check_tells_a_file_with_line_ends_in_its_name_in_one_line(
    console: Console, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_photos(Path("photos"), count=3)
    Path("photos/two\n\x1b[31mlines.png").write_bytes(b"")
    lines = said(monkeypatch, capsys, 1, "data", "check", "photos").splitlines()
    assert sum("two\\n\\x1b[31mlines.png: cannot be read" in line for line in lines) == 1


def test_the_cache_is_listed_and_cleared(
    console: Console, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NAS_CACHE", "kept")
    monkeypatch.setenv("NAS_CACHE_GB", "0.5")
    assert said(monkeypatch, capsys, 0, "data", "cache").startswith("0.00 of 0.5 GB in ")
    write_photos(Path("photos"), count=3)
    images = load_data("photos", 3)
    found = json.loads(said(monkeypatch, capsys, 0, "data", "cache", "--json"))
    [entry] = found["entries"]
    assert (entry["images"], entry["scale"]) == (str(Path("photos").resolve()), 3)
    assert entry["in_use"]
    assert found["bytes"] == entry["bytes"] == 3 * (120**2 + 40**2) * 3
    assert (found["folder"], found["limit_bytes"]) == (str(Path("kept/images").absolute()), 5e8)
    table = said(monkeypatch, capsys, 0, "data", "cache", "--clear")
    assert "removed 0, 0.00 GB" in table
    assert "in use" in table
    del images
    assert "removed 1" in said(monkeypatch, capsys, 0, "data", "cache", "--clear")
    assert not list(Path("kept/images").iterdir())
    monkeypatch.setenv("NAS_CACHE_GB", "plenty")
    console.refuse(2, "NAS_CACHE_GB=plenty", "data", "cache")


def test_div2k_is_fetched_by_part_and_scale(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = {
        (part, scale): archive
        for (part, scale), archive in zip(
            ((part, scale) for scale in (None, 3) for part in div2k.Subset), ARCHIVES, strict=True
        )
    }
    monkeypatch.setattr(div2k, "_OFFICIAL", small)
    with serving(Site({f"/{name}.zip": content for name, content in CONTENTS.items()})) as site:
        words = ("data", "div2k", "here", "--server", site.url)
        assert console.run(*words, "--part", "valid")[0] == 0
        assert sorted(path.name for path in Path("here").iterdir()) == [
            "DIV2K_valid_HR", "DIV2K_valid_LR_bicubic",
        ]  # fmt: skip
        assert console.run(*words)[0] == 0
    assert load_data("here", 3).training.pairs[0].lr.shape == (33, 33, 3)


def test_another_file_than_the_official_one_is_refused(console: Console) -> None:
    with serving(Site({"/DIV2K_valid_HR.zip": b"short"})) as site:
        words = ("data", "div2k", "here", "--part", "valid", "--server", site.url)
        code, errors = console.run(*words)
    assert code == 1
    assert errors.startswith("error: ")
    assert not Path("here/DIV2K_valid_HR").exists()


def test_a_scale_that_div2k_does_not_have(console: Console) -> None:
    code, errors = console.run("data", "div2k", "here", "--scale", "8")
    assert code == 2
    assert "--scale" in errors
    assert not console.files()
