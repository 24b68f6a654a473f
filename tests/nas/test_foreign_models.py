"""Other people's models: the right reason in one line, and what is open taken as it is meant."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nas.data.images import write_image
from search_spaces.naming import shortened
from tests.latency_models.foreign_models import SIDE, enlarging, transposed, with_float_ends
from tests.latency_models.tflite_builder import TfliteBuilder

from .console import Console, write_photos

NOT_INT8 = {
    "float32": enlarging(dtype="FLOAT32", weights="FLOAT32"),
    "float16 weights": enlarging(dtype="FLOAT32", weights="FLOAT16"),
    "float ends": with_float_ends(),
    "int16 activations": enlarging(dtype="INT16"),
}
SOURCES = [
    ("predict", "vs680"), ("predict", "ethos-u65-512"), ("predict", "rk3588"),
    ("measure", "host"), ("measure", "adb:nobody"),
]  # fmt: skip


@pytest.mark.parametrize("name", NOT_INT8)
def test_every_source_refuses_what_is_not_int8_alike(console: Console, name: str) -> None:
    Path("m.tflite").write_bytes(NOT_INT8[name])
    said = {
        console.refuse(2, "not integer-only INT8", "latency", verb, "m.tflite", "--device", device)
        for verb, device in SOURCES
    }
    assert len(said) == 1
    console.refuse(2, "not integer-only INT8", "evaluate", "m.tflite")


def answered(console: Console, *words: str) -> str:
    code, errors = console.run(*words)
    assert code == 0, errors
    return errors


@pytest.mark.parametrize("make", [enlarging, transposed])
def test_an_open_batch_is_one_image(console: Console, make: Callable[..., bytes]) -> None:
    Path("open.tflite").write_bytes(make(open_sides=(0,)))
    write_photos(Path("photos"), side=6 * SIDE)
    answered(console, "evaluate", "open.tflite", "--data", "photos")
    answered(console, "upscale", "open.tflite", "photos/0.png", "large.png")
    answered(console, "latency", "predict", "open.tflite", "--device", "ethos-u65-512")


@pytest.mark.parametrize("make", [enlarging, transposed])
def test_open_sides_take_a_size(console: Console, make: Callable[..., bytes]) -> None:
    Path("open.tflite").write_bytes(make(open_sides=(0, 1, 2)))
    words = ("latency", "predict", "open.tflite", "--device", "ethos-u65-512")
    console.refuse(2, "open shape (?, ?, ?, 3)", *words)
    answered(console, *words, "--input", "24x40")
    answered(
        console, "latency", "measure", "open.tflite", "--device", "host", "--input", "24x40"
    )  # fmt: skip


def test_a_model_that_enlarges_nothing_is_not_judged(console: Console) -> None:
    file = TfliteBuilder()
    image = file.tensor((1, SIDE, SIDE, 3))
    Path("x1.tflite").write_bytes(
        file.build((image,), (file.add("RELU", (image,), (1, SIDE, SIDE, 3)),))
    )
    console.refuse(2, "as large as its input (x1)", "evaluate", "x1.tflite")


def test_one_channel_is_not_rgb_at_any_size(console: Console) -> None:
    file = TfliteBuilder()
    image = file.tensor((1, 1, 1, 1), open_sides=(1, 2))
    pixels = file.tensor((1, 1, 1, 1), open_sides=(1, 2))
    file.operator("RELU", (image,), (pixels,))
    Path("y.tflite").write_bytes(file.build((image,), (pixels,)))
    console.refuse(2, "one channel, grey or Y of YCbCr", "evaluate", "y.tflite")


def test_what_is_no_model_or_was_compiled(console: Console) -> None:
    Path("m.tflite").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    console.refuse(2, "`git lfs pull`", "check", "m.tflite")
    console.refuse(2, "`git lfs pull`", "evaluate", "m.tflite")
    file = TfliteBuilder()
    image = file.tensor((1, SIDE, SIDE, 3))
    pixels = file.add("CUSTOM:ethos-u", (image,), (1, 2 * SIDE, 2 * SIDE, 3))
    Path("m.tflite").write_bytes(file.build((image,), (pixels,)))
    device = ("--device", "ethos-u65-512")
    console.refuse(2, "compiled by Vela", "check", "m.tflite")
    console.refuse(2, "compiled by Vela", "evaluate", "m.tflite")
    console.refuse(2, "compiled by Vela", "latency", "predict", "m.tflite", *device)


@pytest.mark.parametrize("words", [("latency", "predict"), ("check",)])
def test_names_of_hundreds_of_letters(
    console: Console, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    Path("m.tflite").write_bytes(enlarging(name="functional/layer;" * 24))
    printed: list[str] = []
    monkeypatch.setattr("builtins.print", lambda *parts, **_: printed.append(str(parts[0])))
    assert console.run(*words, "m.tflite", "--device", "vs680")[0] in (0, 1)
    assert printed
    assert max(len(line) for text in printed for line in text.splitlines()) < 160


def test_names_of_hundreds_of_letters_in_an_error(console: Console) -> None:
    name = "functional/layer;" * 24
    Path("m.tflite").write_bytes(enlarging(name=name, dtype="FLOAT32", weights="FLOAT32"))
    assert len(console.refuse(2, "...", "evaluate", "m.tflite")) < 300


@pytest.mark.parametrize("name", ["", "short", "x" * 60, "x" * 61, "a" * 200 + "b" * 200])
def test_a_name_is_shortened_in_its_middle(name: str) -> None:
    short = shortened(name)
    assert len(short) <= 60
    if len(name) <= 60:
        assert short == name
    assert (short[:20], short[-20:]) == (name[:20], name[-20:])


def same_file(folder: Path, how: str) -> tuple[str, str]:
    """IN and OUT that are one picture."""
    picture = folder / "in" / "a.png"
    write_image(picture, np.zeros((9, 9, 3), np.uint8))
    match how:
        case "same":
            return "in/a.png", "in/a.png"
        case "relative":
            return "in/a.png", "in/../in/a.png"
        case "symbolic link":
            (folder / "b.png").symlink_to(picture)
            return "in/a.png", "b.png"
        case "hard link":
            os.link(picture, folder / "b.png")
            return "b.png", "in/a.png"
        case "linked folder":
            (folder / "other").symlink_to(folder / "in")
            return "in", "other"
        case "folder of links":
            (folder / "links").mkdir()
            (folder / "links" / "a.png").symlink_to(picture)
            return "links", "in"
    raise AssertionError(how)


@pytest.mark.parametrize(
    "how", ["same", "relative", "symbolic link", "hard link", "linked folder", "folder of links"]
)
def test_a_picture_is_never_written_over(console: Console, how: str) -> None:
    Path("m.tflite").write_bytes(enlarging())
    source, target = same_file(console.folder, how)
    console.refuse(2, target, "upscale", "m.tflite", source, target)
