"""Names that are no UTF-8, printed and written by every command."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.cli.output import print_json
from nas.system.files import write_text
from nas.system.text import printable, visible

from ..console import Console, write_photos
from ..tiny_model import make_tflite


@given(st.binary(max_size=40))
def test_any_file_s_name_becomes_text_that_tells_it(name: bytes) -> None:
    text = printable(os.fsdecode(name))
    assert text == name.decode(errors="backslashreplace")
    assert text.encode().decode() == text


def test_it_is_written_and_printed_as_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_text(tmp_path / "a", "caf\udce9")
    assert (tmp_path / "a").read_bytes() == rb"caf\xe9"
    print_json({"caf\udce9": ["\udcff"]})
    assert json.loads(capsys.readouterr().out) == {r"caf\xe9": [r"\xff"]}


def test_commands_take_such_names(console: Console) -> None:
    photos = console.folder / "ph\udcff"
    write_photos(photos)
    (photos / "0.png").rename(photos / "caf\udce9.png")
    model = "m\udcff.tflite"
    Path(model).write_bytes(make_tflite())
    for words in (
        ("evaluate", model, "--data", str(photos)),
        ("evaluate", model, "--data", str(photos), "--json"),
        ("data", "check", str(photos), "--scale", "2"),
        ("check", model),
        ("latency", "predict", model, "--device", "vs680"),
        ("upscale", model, str(photos), "large"),
    ):
        code, errors = console.run(*words)
        assert code == (words[0] == "check"), errors  # it finds something to be mended
        assert errors == ""
    errors = console.refuse(2, r"no\xff.tflite", "evaluate", "no\udcff.tflite")
    assert errors.isascii()


def test_what_a_terminal_would_obey_is_shown() -> None:
    assert visible("\x1b[31mred\n.png") == r"\x1b[31mred\n.png"
    assert visible("a\u2028b\x9bc") == r"a\u2028b\x9bc"
    assert visible("Grüße, 写真 1.png") == "Grüße, 写真 1.png"
