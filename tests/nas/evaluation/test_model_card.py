"""A card is read back as it was written; a damaged one is refused with the name of its file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency_models import Latency, OperatorLatency, WeightGranularity
from nas.evaluation.model_card import (
    SIGNED,
    DeviceTime,
    ModelCard,
    ModelFile,
    SetMeans,
    read_card,
)
from nas.quality.metrics import METRICS
from nas.quality_model.expectation import ExpectedPsnr
from nas.system.files import write_json
from search_spaces import Candidate, InputError, InputSpec, zoo
from tests.nas.qualities import figures, model_quality

SPEC = InputSpec(36, 64)
ROWS = (
    OperatorLatency("conv_1", "CONV_2D", "npu", 1.5),
    OperatorLatency("conv_2", "CONV_2D", "npu", 2.0),
    OperatorLatency("shuffle", "DEPTH_TO_SPACE", "cpu", 3.0),
)
CARD = ModelCard(
    name="s-7",
    origin="study s, trial 7",
    candidate=Candidate(zoo.abpn(3)),
    input=SPEC,
    granularity=WeightGranularity.CHANNEL,
    quality=model_quality(29.87, 0.034),
    data="photos/valid",
    data_fingerprint="abc",
    tflite_kb=53.2,
    device="vs680",
    device_found_as="vs680",
    latency=Latency(6.5, 6.0, 7.5, ROWS, ("shuffle",), "table", (("stack", "1"),)),
    training={"steps": 250, "seed": 3},
    seconds={"total": 20.0},
    versions={"tensorflow": "2.21"},
    expected=ExpectedPsnr(30.6, 30.5, 30.7),
    command="nas search --budget 5m",
    images_license="CC0",
    tests=(SetMeans("Set5", 5, "def", figures(31.2)),),
    other_times=(DeviceTime("u85", Latency(16.0, 15.0, 20.0, (), (), "regression")),),
)


@pytest.mark.parametrize(
    "card",
    [
        CARD,
        replace(CARD, latency=None, no_latency="no board", device_found_as=None),
        replace(CARD, granularity=None, expected=None, tflite_kb=None),
        replace(CARD, images_license="", tests=(), other_times=()),
    ],
)
def test_a_card_is_read_back_as_it_was_written(card: ModelCard, tmp_path: Path) -> None:
    write_json(tmp_path / "card.json", card.to_json())
    assert read_card(tmp_path / "card.json") == card


def test_the_page_tells_every_metric_and_where_the_time_goes() -> None:
    listed = ModelFile("int8.tflite", SPEC, SIGNED, figures(29.8))
    text = replace(CARD, files=(listed,)).to_markdown(("score / ABPN", "1.20"))
    assert text.startswith("# s-7\n")
    for said in (
        "| score / ABPN | 1.20 |",
        "29.870 dB on valid, RGB, 3 pixels of border left out",
        "29.904 dB (INT8 costs +0.034 dB)",
        "30.60 ± 0.10 dB after 10,000 steps",
        "| training | 250 steps |",
        "6.50 ms (6.00 to 7.50)",
        "| CONV_2D | npu | 3.50 |\n| DEPTH_TO_SPACE | cpu | 3.00 |",
        "`int8.tflite` | 36x64 | int8, grey level g is byte g - 128 | 29.800 | 0.8000 |",
        "53.2 KB",
        "| Set5, INT8 | 31.200 dB, 0.8000; 5 images |",
        "| training images | CC0 |",
        "| on u85 | 16.00 ms predicted (15.00 to 20.00) |",
    ):
        assert said in text
    assert all(f"| {metric.name}, INT8 |" in text for metric in METRICS)


VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.lists(st.none())


@given(st.sampled_from(sorted(CARD.to_json())), VALUES | st.just("left out"))
def test_a_damaged_card_is_refused_with_its_file(
    tmp_path_factory: pytest.TempPathFactory, key: str, value: object
) -> None:
    path = tmp_path_factory.mktemp("card") / "card.json"
    values = json.loads(json.dumps(CARD.to_json()))
    if value == "left out":
        del values[key]
    else:
        values[key] = value
    write_json(path, values)
    refusal = refusal_of(path)
    assert refusal is None or refusal.startswith(f"{path}: ")


def refusal_of(path: Path) -> str | None:
    try:
        read_card(path)
    except InputError as error:
        return str(error)
    return None
