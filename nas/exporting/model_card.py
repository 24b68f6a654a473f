"""What is known of one exported model: the same card as JSON and as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from latency_models import Latency, WeightGranularity
from search_spaces import Candidate, InputSpec, infer

from ..quality.metrics import convention
from ..quality_model.expectation import ExpectedPsnr
from ..quality_model.table import FULL_STEPS


@dataclass(frozen=True)
class Card:
    """A trained network: where it comes from, how good and how fast it is."""

    name: str
    #: "study s, trial 7", "trained at length"
    origin: str
    candidate: Candidate
    #: size that its quality was told by, and that its latency is for
    input: InputSpec
    granularity: WeightGranularity
    psnr_db: float
    ssim: float
    psnr_float_db: float
    ssim_float: float
    #: what it was judged on: the user's word for it, and its fingerprint
    data: str
    data_fingerprint: str
    #: name of the device that ``latency`` is for, if any
    device: str | None
    latency: Latency | None = field(repr=False)
    #: recipe, seed and versions, as they were written down
    training: Mapping[str, Any] = field(repr=False)
    versions: Mapping[str, str] = field(repr=False)
    #: after a full training, of what was trained for a short while
    expected: ExpectedPsnr | None = None

    @property
    def front(self) -> str:
        """What the origins of all networks of the same study begin with."""
        return f"{self.origin.partition(', trial ')[0]}, trial "

    @property
    def data_label(self) -> str:
        """What the card says of the images: a name, no path of somebody's disk."""
        return Path(self.data).name or self.data

    @property
    def drop_db(self) -> float:
        """What INT8 cost, positive for a loss."""
        return self.psnr_float_db - self.psnr_db

    @property
    def scale(self) -> int:
        """How many times the image is enlarged."""
        return self.candidate.graph.scale


@dataclass(frozen=True)
class ExportedModel:
    """A TFLite file of the export, and the quality that was found of that very file."""

    file: str
    tflite: bytes = field(repr=False)
    #: None: any
    input: InputSpec | None
    #: of the bytes at both ends: "int8", grey level g is byte g - 128, or "uint8", byte g
    dtype: str
    psnr_db: float
    ssim: float


def card_as_json(card: Card, models: Sequence[ExportedModel]) -> dict[str, Any]:
    """Plain values; ``nas train`` takes the network from them."""
    figures = infer(card.candidate.deployed, card.input)
    return {
        "name": card.name,
        "origin": card.origin,
        "psnr_db": card.psnr_db,
        "ssim": card.ssim,
        "psnr_float_db": card.psnr_float_db,
        "ssim_float": card.ssim_float,
        "drop_db": card.drop_db,
        "expected": None if card.expected is None else vars(card.expected),
        "convention": convention(card.scale),
        "data": {"name": card.data_label, "fingerprint": card.data_fingerprint},
        "scale": card.scale,
        "input": str(card.input),
        "multiple": card.candidate.deployed.multiple,
        "weights": card.granularity,
        "parameters": figures.parameters,
        "macs": figures.macs,
        "latency": _latency_as_json(card),
        "files": [
            {
                "file": model.file,
                "input": "any" if model.input is None else str(model.input),
                "levels": model.dtype,
                "psnr_db": model.psnr_db,
                "ssim": model.ssim,
            }
            for model in models
        ],
        "architecture": card.candidate.to_json(),
        "training": dict(card.training),
        "versions": dict(card.versions),
    }


def _latency_as_json(card: Card) -> dict[str, Any] | None:
    if card.latency is None:
        return None
    return {
        "device": card.device,
        "source": card.latency.source,
        "ms": card.latency.ms,
        "low_ms": card.latency.low_ms,
        "high_ms": card.latency.high_ms,
        "on_cpu": list(card.latency.on_cpu),
        "conditions": dict(card.latency.conditions),
        "operators": [vars(row) for row in card.latency.operators],
    }


def card_as_markdown(
    card: Card, models: Sequence[ExportedModel], left_out: Mapping[str, str]
) -> str:
    """For people; ``left_out`` are files that could not be made, and why."""
    figures = infer(card.candidate.deployed, card.input)
    rows = [
        ("from", card.origin),
        ("enlarges", f"{card.scale} times"),
        ("PSNR, INT8", f"{card.psnr_db:.3f} dB on {card.data_label}, {convention(card.scale)}"),
        *_expected_row(card),
        ("SSIM, INT8", f"{card.ssim:.4f}"),
        ("PSNR, FP32", f"{card.psnr_float_db:.3f} dB (INT8 costs {card.drop_db:+.3f} dB)"),
        ("parameters", f"{figures.parameters:,}"),
        ("multiply-accumulates", f"{figures.macs / 1e9:.3f} G at {card.input}"),
        ("weights", f"INT8, one scale a {card.granularity}"),
    ]
    if card.latency is not None:
        latency = card.latency
        interval = f"{latency.low_ms:.2f} to {latency.high_ms:.2f}: {latency.interval or '?'}"
        time = f"{latency.ms:.2f} ms ({interval}) on {card.device}, {card.input}, {latency.source}"
        rows.append(("latency", time))
    files = [
        (
            f"`{model.file}`", str(model.input or "any"), _LEVELS[model.dtype],
            f"{model.psnr_db:.3f} dB", f"{model.ssim:.4f}",
        )
        for model in models
    ]  # fmt: skip
    parts = [
        f"# {card.name}",
        _table(("", ""), rows),
        "## Models",
        _table(("file", "input, height x width", "levels", "PSNR", "SSIM"), files),
        "Each is integer-only, and was judged when it was exported, by tiles of its own size: they "
        "meet the borders of images otherwise, which shows in the last digits.",
        *(f"`{file}` is left out: {reason}." for file, reason in left_out.items()),
        _OTHER_FILES,
    ]
    return "\n\n".join(parts) + "\n"


def _expected_row(card: Card) -> list[tuple[str, str]]:
    if card.expected is None:
        return []
    return [("expected", f"{card.expected.text} after {FULL_STEPS:,} steps of training")]


_LEVELS = {"int8": "int8, grey level g is byte g - 128", "uint8": "uint8, grey level g is byte g"}
_OTHER_FILES = """## Other files

| file | what |
|---|---|
| `model.tflite` | the first INT8 file again, by the name that the AI Benchmark app asks for |
| `example.py` | enlarges a picture with any of the models: ai-edge-litert, numpy and pillow |
| `RUN.md` | how to time it on a device |
| `network.weights.h5` | Keras weights, loaded by `nas.training.keras_model.load_keras_model` |
| `weights.npz` | the same values by name |
| `card.json` | this card for programs, with the architecture; `nas train card.json` trains it |
| `SHA256SUMS` | `sha256sum --check SHA256SUMS` |"""


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
