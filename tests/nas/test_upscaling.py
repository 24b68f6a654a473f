"""``nas upscale`` with a real model of 16x16 tiles that repeats pixels."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nas.data.images import write_image
from nas.data.pixels import Pixels
from nas.quality.baselines import bicubic

from .commands import ROOT
from .console import Console
from .tiny_model import SIDE, make_tflite


@pytest.fixture
def place(console: Console) -> Console:
    Path("m.tflite").write_bytes(make_tflite())
    return console


def random_rgb(seed: int, height: int = 20, width: int = 50) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def pixels(path: str) -> Pixels:
    with Image.open(path) as image:
        return np.asarray(image)


def repeated(image: Pixels) -> Pixels:
    return image.repeat(2, axis=0).repeat(2, axis=1)


def test_a_panorama_has_no_seams(place: Console) -> None:
    image = random_rgb(0, 3 * SIDE + 5, 40 * SIDE + 3)
    write_image(Path("in.png"), image)
    assert place.run("upscale", "m.tflite", "in.png", "out.png")[0] == 0
    np.testing.assert_array_equal(pixels("out.png"), repeated(image))


def test_grey_transparency_and_orientation(place: Console) -> None:
    image = random_rgb(1)
    grey_alpha = np.ascontiguousarray(image[..., :2])
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(grey_alpha, "LA").save("in.png", exif=exif)
    assert place.run("upscale", "m.tflite", "in.png", "out.png")[0] == 0
    result = pixels("out.png")
    assert result.shape == (100, 40, 2)
    np.testing.assert_array_equal(result[..., 0], repeated(np.rot90(image[..., 0], -1)))
    with Image.open("out.png") as written:
        assert not written.getexif()


def test_side_by_side(place: Console) -> None:
    image = random_rgb(2)
    write_image(Path("in.png"), image)
    assert place.run("upscale", "m.tflite", "in.png", "out.png", "--side-by-side")[0] == 0
    np.testing.assert_array_equal(
        pixels("out.png"), np.hstack([bicubic(2)(image), repeated(image)])
    )


def test_a_folder(place: Console) -> None:
    for seed, name in enumerate(("b.bmp", "a.png", "deeper/c.png")):
        Path("in", name).parent.mkdir(parents=True, exist_ok=True)
        write_image(Path("in", name), random_rgb(seed))
    Path("in/notes.txt").write_text("no image")
    assert place.run("upscale", "m.tflite", "in", "out")[0] == 0
    for seed, name in enumerate(("b.png", "a.png", "deeper/c.png")):
        np.testing.assert_array_equal(pixels(f"out/{name}"), repeated(random_rgb(seed)))
    assert len([path for path in Path("out").rglob("*") if path.is_file()]) == 3


def test_of_several_frames_the_first_is_enlarged_and_a_line_says_so(place: Console) -> None:
    first, other = random_rgb(4), random_rgb(5)
    for name in ("in.tiff", "in.webp"):
        others = [Image.fromarray(other)]
        Image.fromarray(first).save(name, save_all=True, append_images=others, lossless=True)
        code, output, errors = place.run_whole("upscale", "m.tflite", name, "out.png")
        assert (code, output) == (0, "out.png: 100x40\n")
        assert errors == f"{name}: only the first of 2 frames or pages is read\n"
        np.testing.assert_array_equal(pixels("out.png"), repeated(first))


def test_one_bad_image_does_not_stop_a_folder(place: Console) -> None:
    Path("in").mkdir()
    Path("in/a.png").write_bytes(b"broken")
    write_image(Path("in/b.png"), random_rgb(3))
    code, errors = place.run("upscale", "m.tflite", "in", "out")
    assert code == 2
    assert "left out: in/a.png: cannot be read" in errors
    assert errors.splitlines()[-1].startswith("error: in: 1 of 2 images left out")
    np.testing.assert_array_equal(pixels("out/b.png"), repeated(random_rgb(3)))


def test_the_bar_is_drawn_in_a_terminal_and_the_answer_goes_where_it_should(
    place: Console,
) -> None:
    write_image(Path("in.png"), random_rgb(6, 90, 90))
    ours, terminal = pty.openpty()
    command = "import nas.cli; nas.cli.main()"
    result = subprocess.run(
        [sys.executable, "-c", command, "upscale", "m.tflite", "in.png", "out.png"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "100"},
        stdout=subprocess.PIPE, stderr=terminal, text=True, check=True,
    )  # fmt: skip
    os.close(terminal)
    drawn = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert result.stdout == "out.png: 180x180\n"
    assert "1/1 in.png" in drawn
    assert "%" in drawn


def test_what_is_refused(place: Console) -> None:
    write_image(Path("in/a.png"), random_rgb(4))
    place.refuse(2, "none.png: no such file", "upscale", "m.tflite", "none.png", "out.png")
    place.refuse(2, "m.tflite: a file", "upscale", "m.tflite", "in", "m.tflite")
    place.refuse(2, "lies within in", "upscale", "m.tflite", "in", "in/out")
    place.refuse(2, "unknown image ending", "upscale", "m.tflite", "in/a.png", "out")
    Image.fromarray(np.zeros((9, 9, 4), np.uint8)).save("clear.png")
    place.refuse(2, "no transparency", "upscale", "m.tflite", "clear.png", "out.jpg")
    write_image(Path("in/a.bmp"), random_rgb(5))
    place.refuse(2, "both would be out/a.png", "upscale", "m.tflite", "in", "out")
    Path("empty").mkdir()
    place.refuse(2, "empty: no image", "upscale", "m.tflite", "empty", "out")
