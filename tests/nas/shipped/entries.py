"""Folders of models as the package has them, with a network that repeats pixels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from latency_models import Latency, WeightGranularity
from nas.evaluation.model_card import DeviceTime, ModelCard, SetMeans
from nas.system.files import write_json, write_whole
from search_spaces import Candidate, GraphBuilder, InputSpec
from search_spaces.graph.operators import Resize

from ..qualities import figures, model_quality
from ..tiny_model import SIDE, make_tflite


def network() -> Candidate:
    """That of ``make_tflite``."""
    net = GraphBuilder()
    net.add_node(Resize(), net.input)
    return Candidate(net.graph)


def timed(ms: float) -> Latency:
    return Latency(ms, ms, ms, (), (), "vela 5.2.0")


TFLITE = make_tflite()
CARD = ModelCard(
    name="doubler",
    origin="a test",
    candidate=network(),
    input=InputSpec(SIDE, SIDE),
    granularity=WeightGranularity.TENSOR,
    quality=model_quality(27.0),
    data="photos",
    data_fingerprint="abc",
    tflite_kb=len(TFLITE) / 1000,
    device="ethos-u85-1024",
    device_found_as="ethos-u85-1024",
    latency=timed(12.5),
    training={"steps": 20_000, "batch": 16, "patch": 32},
    images_license="CC0",
    tests=(
        SetMeans("Set5", 5, "five", figures(31.0)), SetMeans("Set14", 14, "fourteen", figures(27.5))
    ),
    other_times=(
        DeviceTime("vs680", replace(timed(20.0), low_ms=15.0, high_ms=30.0, source="regression")),
    ),
)  # fmt: skip


def write_entry(folder: Path, card: ModelCard, tflite: bytes = TFLITE) -> None:
    """Its folder, by the card's name."""
    write_whole(folder / card.name / "model.tflite", tflite)
    write_json(folder / card.name / "card.json", card.to_json())
