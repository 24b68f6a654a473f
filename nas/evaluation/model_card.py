"""Model cards: written as JSON and Markdown, and read from JSON."""

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
#: Representation of grey levels as bytes in a model's input and output, by data type.
LEVELS = {
    SIGNED: "int8, grey level g is byte g - 128",
    UNSIGNED: "uint8, grey level g is byte g",
}


@dataclass(frozen=True)
class ModelFile:
    """A TFLite file, and its quality on the images of the card."""

    file: str
    #: input size; None if the file takes any size
    input: InputSpec | None
    #: data type of input and output: a key of ``LEVELS``
    dtype: str
    quality: MetricValues

    def to_json(self) -> dict[str, Any]:
        """Returns plain values for JSON."""
        size = "any" if self.input is None else str(self.input)
        return {"file": self.file, "input": size, "levels": self.dtype, **self.quality.to_json()}


@dataclass(frozen=True)
class SetMeans:
    """Mean quality of the INT8 file on a set of test images, which were not used in training."""

    name: str
    images: int
    fingerprint: str
    quality: MetricValues

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Returns the object from the values of ``to_json``; raises the errors of ``ModelCard``."""
        quality = MetricValues.from_json(values)
        return cls(values["name"], values["images"], values["fingerprint"], quality)

    def to_json(self) -> dict[str, Any]:
        """Returns plain values for JSON."""
        values = {"name": self.name, "images": self.images, "fingerprint": self.fingerprint}
        return {**values, **self.quality.to_json()}


@dataclass(frozen=True)
class DeviceTime:
    """Latency of the INT8 file on a device."""

    device: str
    latency: Latency

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Returns the object from the values of ``to_json``; raises the errors of ``ModelCard``."""
        return cls(values["device"], latency_from_json(values["latency"]))

    def to_json(self) -> dict[str, Any]:
        """Returns plain values for JSON."""
        return {"device": self.device, "latency": latency_to_json(self.latency)}


@dataclass(frozen=True)
class ModelCard:
    """Description of a trained network: its origin, quality, latency and training."""

    name: str
    #: how it was made, such as "study s, trial 7" or "`nas train`, at full length"
    origin: str
    candidate: Candidate
    #: tile size for which quality was measured, and input size for which latency is given
    input: InputSpec
    #: granularity of the scales of weights; None if the file is on another machine
    granularity: WeightGranularity | None
    quality: ModelQuality
    #: images on which quality was measured: the name given by the user, and their fingerprint
    data: str
    data_fingerprint: str
    tflite_kb: float | None = None
    #: name of the device that ``latency`` is for, if any, and the reference by which it was found
    device: str | None = None
    device_found_as: str | None = None
    latency: Latency | None = field(default=None, repr=False)
    #: reason why there is no latency
    no_latency: str = ""
    #: recipe and seed, seconds of the stages, and versions of packages, as stored
    training: Mapping[str, Any] = field(default_factory=dict, repr=False)
    seconds: Mapping[str, float] = field(default_factory=dict, repr=False)
    versions: Mapping[str, str] = field(default_factory=dict, repr=False)
    #: PSNR expected after full-length training, for a network that was trained briefly
    expected: ExpectedPsnr | None = None
    #: command that reproduces it
    command: str = ""
    #: license of the training images, as text
    images_license: str = ""
    #: quality on sets of test images
    tests: tuple[SetMeans, ...] = ()
    #: latencies on devices other than ``device``
    other_times: tuple[DeviceTime, ...] = field(default=(), repr=False)
    files: tuple[ModelFile, ...] = field(default=(), repr=False)

    @property
    def scale(self) -> int:
        """Factor by which images are enlarged."""
        return self.candidate.graph.scale

    @property
    def data_label(self) -> str:
        """Name of the images, without the path on disk."""
        return Path(self.data).name or self.data

    @property
    def times(self) -> tuple[DeviceTime, ...]:
        """Latencies on all devices of the card, its own device first."""
        if self.latency is None or self.device is None:
            return self.other_times
        return (DeviceTime(self.device, self.latency), *self.other_times)

    def to_json(self) -> dict[str, Any]:
        """Returns plain values for ``from_json``; ``nas train`` can read the network from them."""
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
        """Returns the card from the values of ``to_json``, without ``files``.

        Raises KeyError for a missing value, TypeError, ValueError or InputError for an invalid one.
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
        """Returns the card as Markdown for people.

        It has a title, a table of all values that begins with ``first_rows``, the latency by kind
        of operator, and the files.
        """
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
        conditions = f" on {self.data_label}, {convention(self.scale)}"
        rows = [("from", self.origin), ("enlarges", f"{self.scale} times")]
        for metric in METRICS:
            int8, float32 = (q.get(metric) for q in (self.quality.int8, self.quality.float32))
            is_first = metric is PSNR
            cost = f" (INT8 costs {self.quality.drop_db:+.3f} dB)" if is_first else ""
            first = metric.text_with_unit(int8) + (conditions if is_first else "")
            rows.append((f"{metric.name}, INT8", first))
            rows.append((f"{metric.name}, FP32", metric.text_with_unit(float32) + cost))
        for test in self.tests:
            texts = ", ".join(m.text_with_unit(test.quality.get(m)) for m in METRICS)
            rows.append((f"{test.name}, INT8", f"{texts}; {test.images} images"))
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
    """Reads a card from a JSON file; raises InputError naming a missing or wrong value."""
    values = read_json(path)
    with reading(path):
        try:
            return ModelCard.from_json(values)
        except KeyError as error:
            raise InputError(f"{error.args[0]}: is missing; it is no card of a model") from None
        except (TypeError, AttributeError, ValueError) as error:
            raise InputError(f"is no card of a model ({error}); it was changed") from None


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a Markdown table."""
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
    """Returns kind of operator, engine and milliseconds, slowest first."""
    times: dict[tuple[str, str], float] = {}
    for row in latency.operators:
        times[row.kind, row.engine] = times.get((row.kind, row.engine), 0.0) + row.ms
    slowest_first = sorted(times.items(), key=lambda item: -item[1])
    return [(kind, engine, f"{ms:.2f}") for (kind, engine), ms in slowest_first]
