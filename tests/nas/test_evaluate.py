"""``nas evaluate``: what it judges, what it leaves out and says so, and by which convention."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nas
from nas.cli import main
from nas.data.images import load_images, write_image
from nas.quality.similarity import MAX_PSNR_DB

from .console import write_photos
from .tiny_model import make_tflite


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A x2 model, and HR images with LR ones of their own: one flat, one too small, one broken."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.tflite").write_bytes(make_tflite())
    write_photos(tmp_path / "V_HR")
    write_image(tmp_path / "V_HR/flat.png", np.full((80, 80, 3), 9, np.uint8))
    write_image(tmp_path / "V_HR/line.png", np.zeros((1, 300, 3), np.uint8))
    (tmp_path / "V_HR/torn.png").write_bytes(b"no image")
    low = tmp_path / "V_LR_bicubic/X2"
    for name, side in (("0", 60), ("1", 60), ("flat", 40), ("line", 1), ("torn", 1)):
        write_image(low / f"{name}x2.png", np.full((side, side, 3), 9, np.uint8))
    return tmp_path


def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    """Standard output and standard error of ``nas evaluate m.tflite``."""
    monkeypatch.setattr("sys.argv", ["nas", "evaluate", "m.tflite", *words])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 0
    return capsys.readouterr()


def test_figures_and_what_they_are_of(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = said(monkeypatch, capsys, "--data", "V_HR", "--luma", "--json").out
    found = json.loads(output, parse_constant=pytest.fail)
    assert [image["name"] for image in found["images"]] == ["0.png", "1.png", "flat.png"]
    assert found["images"][2]["psnr_db"] == MAX_PSNR_DB
    assert {item["name"] for item in found["skipped"]} == {"line.png", "torn.png"}
    assert "300x1 is too small" in next(
        item["reason"] for item in found["skipped"] if item["name"] == "line.png"
    )
    assert found["convention"] == "RGB, 2 pixels of border left out"
    assert found["lr"] == f"LR read from {place / 'V_LR_bicubic/X2'}"
    quality = nas.evaluate("m.tflite", "V_HR", luma=True)
    assert quality.luma is not None
    assert found["luma"] == quality.luma.to_json()
    assert (found["psnr_db"], found["ssim"]) == (quality.psnr_db, quality.ssim)
    assert quality.skipped == load_images(place / "V_HR", 2).skipped


def test_the_table_and_what_is_told_around_it(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = said(monkeypatch, capsys, "--data", "V_HR")
    first, *rows = told.out.splitlines()
    assert first == (
        f"3 images of {place / 'V_HR'}, LR read from {place / 'V_LR_bicubic/X2'}; "
        "RGB, 2 pixels of border left out:"
    )
    assert [row.split()[0] for row in rows] == ["image", "0.png", "1.png", "flat.png", "mean"]
    flat, count, *left_out = told.err.splitlines()
    assert flat.endswith(": flat.png")
    assert count == "2 left out:"
    assert [line.split(":")[0] for line in left_out] == ["  line.png", "  torn.png"]
