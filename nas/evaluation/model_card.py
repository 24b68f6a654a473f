"""The card of a trained model: written as JSON and as Markdown, read back from JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from latency_models import Latency, WeightGranularity
from latency_models.latency_json import latency_from_json, latency_to_json
from search_spaces import Candidate, InputError, InputSpec, infer

from ..quality.image_quality import MetricValues, ModelQuality
from ..quality.metrics import METRICS, PSNR, convention
from ..quality_model.expectation import ExpectedPsnr
from ..quality_model.training_table import FULL_STEPS
from ..system.files import read_json, reading

SIGNED, UNSIGNED = "int8", "uint8"
#: What grey levels are as bytes at both ends of a model.
LEVELS = {
    SIGNED: "int8, grey level g is byte g - 128",
    UNSIGNED: "uint8, grey level g is byte g",
}


@dataclass(frozen=True)
class ModelFile:
    """A TFLite file, and its own quality on the card's images."""

    file: str
    #: None: any
    input: InputSpec | None
    #: of the bytes at both ends: a key of ``LEVELS``
    dtype: str
    quality: MetricValues

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        size = "any" if self.input is None else str(self.input)
        return {"file": self.file, "input": size, "levels": self.dtype, **self.quality.to_json()}


@dataclass(frozen=True)
class SetMeans:
    """The INT8 file's means over a set of test images, which had no part in its training."""

    name: str
    images: int
    fingerprint: str
    quality: MetricValues

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """What ``to_json`` wrote; errors are those of the card's."""
        quality = MetricValues.from_json(values)
        return cls(values["name"], values["images"], values["fingerprint"], quality)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        told = {"name": self.name, "images": self.images, "fingerprint": self.fingerprint}
        return {**told, **self.quality.to_json()}


@dataclass(frozen=True)
class DeviceTime:
    """Latency of the INT8 file on a device."""

    device: str
    latency: Latency

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """What ``to_json`` wrote; errors are those of the card's."""
        return cls(values["device"], latency_from_json(values["latency"]))

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"device": self.device, "latency": latency_to_json(self.latency)}


@dataclass(frozen=True)
class ModelCard:
    """A trained network: origin, quality, latency, and how it was trained."""

    name: str
    #: "study s, trial 7", "`nas train`, at full length"
    origin: str
    candidate: Candidate
    #: size that its quality was told by, and that its latency is for
    input: InputSpec
    #: of its weights' scales; None where the file is on another machine
    granularity: WeightGranularity | None
    quality: ModelQuality
    #: what it was judged on: the user's word for it, and its fingerprint
    data: str
    data_fingerprint: str
    tflite_kb: float | None = None
    #: name of the device that ``latency`` is for, if any, and what leads to it from here
    device: str | None = None
    device_found_as: str | None = None
    latency: Latency | None = field(default=None, repr=False)
    #: why there is no latency
    no_latency: str = ""
    #: recipe, seed, stages' seconds and packages' versions, as they were written down
    training: Mapping[str, Any] = field(default_factory=dict, repr=False)
    seconds: Mapping[str, float] = field(default_factory=dict, repr=False)
    versions: Mapping[str, str] = field(default_factory=dict, repr=False)
    #: after a full training, of what was trained for a short while
    expected: ExpectedPsnr | None = None
    #: what makes it again
    command: str = ""
    #: of the photographs that it was trained on, in words
    images_license: str = ""
    #: on test images, where it was judged on any
    tests: tuple[SetMeans, ...] = ()
    #: on devices beside its own
    other_times: tuple[DeviceTime, ...] = field(default=(), repr=False)
    files: tuple[ModelFile, ...] = field(default=(), repr=False)

    @property
    def scale(self) -> int:
        """How many times the image is enlarged."""
        return self.candidate.graph.scale

    @property
    def data_label(self) -> str:
        """The name of the images, without the path on the disk."""
        return Path(self.data).name or self.data

    @property
    def times(self) -> tuple[DeviceTime, ...]:
        """Latencies on all devices of the card, its own device first."""
        if self.latency is None or self.device is None:
            return self.other_times
        return (DeviceTime(self.device, self.latency), *self.other_times)

    def to_json(self) -> dict[str, Any]:
        """Plain values that ``from_json`` reads back; ``nas train`` takes the network from them."""
        figures = infer(self.candidate.deployed, self.input)
        return {
            "name": self.name,
            "origin": self.origin,
            **self.quality.to_json(),
            "expected": None if self.expected is None else vars(self.expected),
            "convention": convention(self.scale),
            "data": {"name": self.data, "fingerprint": self.data_fingerprint},
            "scale": self.scale,
            "input": str(self.input),
            "multiple": self.candidate.deployed.multiple,
            "levels": LEVELS[SIGNED],
            "weights": self.granularity,
            "parameters": figures.parameters,
            "macs": figures.macs,
            "tflite_kb": self.tflite_kb,
            "device": self.device,
            "device_found_as": self.device_found_as,
            "latency": None if self.latency is None else latency_to_json(self.latency),
            "no_latency": self.no_latency,
            "other_times": [time.to_json() for time in self.other_times],
            "tests": [test.to_json() for test in self.tests],
            "images_license": self.images_license,
            "files": [file.to_json() for file in self.files],
            "candidate": self.candidate.hash,
            "architecture": self.candidate.to_json(),
            "training": dict(self.training),
            "seconds": dict(self.seconds),
            "versions": dict(self.versions),
            "command": self.command,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The card that ``to_json`` described, without its files, which are judged where they are.

        KeyError of what is missing, TypeError or InputError of what is none of its values.
        """
        latency, expected = values.get("latency"), values.get("expected")
        granularity = values.get("weights")
        return cls(
            name=values["name"],
            origin=values.get("origin", ""),
            quality=ModelQuality.from_json(values),
            candidate=Candidate.from_json(values["architecture"]),
            input=InputSpec.parse(values["input"]),
            granularity=None if granularity is None else WeightGranularity(granularity),
            data=values["data"]["name"],
            data_fingerprint=values["data"]["fingerprint"],
            tflite_kb=values.get("tflite_kb"),
            device=values.get("device"),
            device_found_as=values.get("device_found_as"),
            latency=None if latency is None else latency_from_json(latency),
            no_latency=values.get("no_latency", ""),
            training=values["training"],
            seconds=values.get("seconds", {}),
            versions=values["versions"],
            expected=None if expected is None else ExpectedPsnr(**expected),
            command=values.get("command", ""),
            images_license=values.get("images_license", ""),
            tests=tuple(map(SetMeans.from_json, values.get("tests", ()))),
            other_times=tuple(map(DeviceTime.from_json, values.get("other_times", ()))),
        )

    def to_markdown(self, *first_rows: tuple[str, str]) -> str:
        """For people: a title, a table of all figures, the time by kind of operator, the files."""
        rows = [*first_rows, *self._rows()]
        parts = [f"# {self.name}", markdown_table(("", ""), rows)]
        if self.latency is not None and self.latency.operators:
            parts.append(markdown_table(("operators", "engine", "ms"), _time_by_kind(self.latency)))
        if self.files:
            headings = ("file", "input, height x width", "levels", *(m.heading for m in METRICS))
            files = [
                (
                    f"`{file.file}`", str(file.input or "any"), LEVELS[file.dtype],
                    *file.quality.texts(),
                )
                for file in self.files
            ]  # fmt: skip
            parts += ["## Models", markdown_table(headings, files)]
        return "\n\n".join(parts) + "\n"

    def _rows(self) -> list[tuple[str, str]]:
        figures = infer(self.candidate.deployed, self.input)
        judged_on = f" on {self.data_label}, {convention(self.scale)}"
        rows = [("from", self.origin), ("enlarges", f"{self.scale} times")]
        for metric in METRICS:
            int8, plain = (q.get(metric) for q in (self.quality.int8, self.quality.float32))
            is_first = metric is PSNR
            cost = f" (INT8 costs {self.quality.drop_db:+.3f} dB)" if is_first else ""
            first = metric.text_with_unit(int8) + (judged_on if is_first else "")
            rows.append((f"{metric.name}, INT8", first))
            rows.append((f"{metric.name}, FP32", metric.text_with_unit(plain) + cost))
        for test in self.tests:
            told = ", ".join(m.text_with_unit(test.quality.get(m)) for m in METRICS)
            rows.append((f"{test.name}, INT8", f"{told}; {test.images} images"))
        if self.images_license:
            rows.append(("training images", self.images_license))
        if "steps" in self.training:
            rows.append(("training", f"{self.training['steps']:,} steps"))
        if self.expected is not None:
            rows.append(("expected", f"{self.expected.text} after {FULL_STEPS:,} steps"))
        rows += [
            ("parameters", f"{figures.parameters:,}"),
            ("multiply-accumulates", f"{figures.macs / 1e9:.3f} G at {self.input}"),
        ]
        if self.granularity is not None:
            rows.append(("weights", f"INT8, one scale a {self.granularity}"))
        if self.latency is not None:
            rows += _latency_rows(self.latency, self.device, self.input)
        elif self.no_latency:
            rows.append(("latency", self.no_latency))
        rows += [(f"on {time.device}", time.latency.text) for time in self.other_times]
        if self.tflite_kb is not None:
            rows.append(("file", f"{self.tflite_kb:.1f} KB, integer-only"))
        return rows


def read_card(path: Path) -> ModelCard:
    """The card in a JSON file; InputError names the value that is missing or wrong."""
    values = read_json(path)
    with reading(path):
        try:
            return ModelCard.from_json(values)
        except KeyError as error:
            raise InputError(f"{error.args[0]}: is missing; it is no card of a model") from None
        except (TypeError, AttributeError, ValueError) as error:
            raise InputError(f"is no card of a model ({error}); it was changed") from None


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _latency_rows(latency: Latency, device: str | None, size: InputSpec) -> list[tuple[str, str]]:
    interval = f"{latency.low_ms:.2f} to {latency.high_ms:.2f}"
    if latency.interval:
        interval += f": {latency.interval}"
    return [
        ("latency", f"{latency.ms:.2f} ms ({interval}) on {device}, {size}, {latency.source}"),
        ("on the CPU", ", ".join(latency.on_cpu) or "nothing"),
    ]


def _time_by_kind(latency: Latency) -> list[tuple[str, str, str]]:
    """Slowest first."""
    times: dict[tuple[str, str], float] = {}
    for row in latency.operators:
        times[row.kind, row.engine] = times.get((row.kind, row.engine), 0.0) + row.ms
    slowest_first = sorted(times.items(), key=lambda item: -item[1])
    return [(kind, engine, f"{ms:.2f}") for (kind, engine), ms in slowest_first]
