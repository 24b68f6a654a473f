"""What ``nas latency`` says is understood at first reading."""

from __future__ import annotations

import hashlib

import pytest

from latency_models.sources.regression.validation import FIGURES, Accuracy
from nas.system.files import write_text
from search_spaces import zoo

from ...latency_models.foreign_models import enlarging
from ..commands import execute
from ..console import Console
from ..tiny_model import make_tflite

PHONE = """
name = "phone"
title = "A phone"
stack = "Android"
operators = "any"
weights = "channel"
input = "360x640"
settings = { source = "csv" }
"""


@pytest.mark.parametrize("what", ["ABPN", "net.tflite", "a310c2d574f135f2.tflite"])
def test_a_failure_names_what_was_typed(console: Console, what: str) -> None:
    write_text(console.folder / "phone/device.toml", PHONE)
    write_text(console.folder / "phone/times.csv", "model,input,device,ms\n")
    if what.endswith(".tflite"):
        (console.folder / what).write_bytes(make_tflite())
    words = ("latency", "measure", what, "--device", "phone")
    errors = console.refuse(1, "times.csv has no time of it on phone", *words)
    assert errors.startswith(f"error: {what}: ")
    if what == "ABPN":
        assert f"add the line {zoo.abpn(3).hash},360x640,phone,MILLISECONDS" in errors


@pytest.mark.parametrize(("open_sides", "size"), [((0,), ()), ((0, 1, 2), ("--input", "24x40"))])
def test_a_file_of_open_sizes_has_the_checksum_that_it_has_on_the_disk(
    console: Console, open_sides: tuple[int, ...], size: tuple[str, ...]
) -> None:
    data = enlarging(open_sides=open_sides)
    line = f"{hashlib.sha256(data).hexdigest()},{size[1] if size else '16x16'},phone,3.5"
    write_text(console.folder / "phone/device.toml", PHONE)
    write_text(console.folder / "phone/times.csv", f"model,input,device,ms\n{line}\n")
    (console.folder / "net.tflite").write_bytes(data)
    words = ("latency", "measure", "net.tflite", "--device", "phone", *size)
    assert execute(console.folder, *words).output.startswith("net.tflite on phone: 3.50 ms")


def test_an_interval_says_what_it_is(console: Console) -> None:
    answer = execute(console.folder, "latency", "predict", "ABPN", "--device", "vs680-2021")
    head, interval, *_ = answer.output.splitlines()
    assert head.startswith("ABPN on vs680-2021: ")
    assert interval == (
        "interval: from the prediction to what was measured of this very network: 36.89 ms"
    )


def test_every_figure_of_a_model_is_told_with_what_is_good() -> None:
    figures = Accuracy(12, 4.25, 71.2, 93.4, 0.987654, 0.912345, 22.2, 91.7, 1.5)
    assert [figure.key for figure in FIGURES] == list(vars(figures))
    assert [figure.text(figures) for figure in FIGURES] == [
        "12", "4.2 %", "71 %", "93 %", "0.988", "0.912", "22 %", "92 %", "1.50",
    ]  # fmt: skip
    assert all(figure.good for figure in FIGURES[1:])
