"""A device: a folder with device.toml, which says how its latencies are known, and a card."""

from __future__ import annotations

import hashlib
import json
import tomllib
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationError,
)

from search_spaces import InputError, InputSpec

from .fallback import CpuFallback
from .host import HostSource, HostTiming
from .source import Latency, LatencyError, LatencyRequest, LatencySource, WeightGranularity
from .vela import VelaSource, VelaTarget
from .worker import Worker

_FILE = "device.toml"


def _input_spec(value: object) -> InputSpec:
    if isinstance(value, InputSpec):
        return value
    try:
        return InputSpec.parse(str(value))
    except InputError as error:
        raise ValueError(str(error)) from None


def _allowed_operators(value: object) -> frozenset[str] | None:
    if value == "any":
        return None
    if not (isinstance(value, list) and value and all(isinstance(kind, str) for kind in value)):
        raise ValueError("must be 'any' or a list of TFLite operators, as CONV_2D")
    return frozenset(value)


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class VelaSettings(_Table):
    """Arm's compiler; names as in Arm's vela.ini."""

    source: Literal["vela"]
    accelerator: Literal[
        "ethos-u55-32", "ethos-u55-64", "ethos-u55-128", "ethos-u55-256", "ethos-u65-256",
        "ethos-u65-512", "ethos-u85-128", "ethos-u85-256", "ethos-u85-512", "ethos-u85-1024",
        "ethos-u85-2048",
    ]  # fmt: skip
    system_config: str
    memory_mode: str
    #: speed of the processor that takes what the NPU does not; assumed, see the card
    cpu_bandwidth_gb_per_s: PositiveFloat
    cpu_gmac_per_s: PositiveFloat
    timeout_seconds: PositiveFloat = 120.0


class HostSettings(_Table):
    """The processor of this machine."""

    source: Literal["host"]
    threads: PositiveInt = 1
    warmup_runs: PositiveInt = 3
    minimum_runs: PositiveInt = 10
    minimum_seconds: PositiveFloat = 1.0
    timeout_seconds: PositiveFloat = 300.0


class Device(_Table):
    """A device as its folder describes it."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
    title: str
    #: the software that a latency holds for: compiler or runtime with its version
    stack: str
    #: TFLite's operators that the device takes at all; None, in the file "any": all of them
    operators: Annotated[frozenset[str] | None, BeforeValidator(_allowed_operators)]
    weights: Annotated[WeightGranularity, Field(strict=False)]
    input: Annotated[InputSpec, BeforeValidator(_input_spec)]
    settings: Annotated[VelaSettings | HostSettings, Field(discriminator="source")]

    @property
    def fingerprint(self) -> str:
        """16 hex digits that change with any value of the file."""
        values = self.model_dump(mode="json", exclude={"operators"})
        values["operators"] = sorted(self.operators or ())
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def device_names() -> tuple[str, ...]:
    """Names of the devices that come with the package."""
    return tuple(sorted(f.name for f in _shipped().iterdir() if (f / _FILE).is_file()))


def load_device(name_or_folder: str | Path) -> Device:
    """The device of that name or in that folder; InputError says what is known or wrong."""
    folder: Traversable = Path(name_or_folder)
    if str(name_or_folder) in device_names():
        folder = _shipped() / str(name_or_folder)
    elif not (folder / _FILE).is_file():
        raise InputError(
            f"unknown device {str(name_or_folder)!r}; give a folder with a {_FILE} "
            f"or one of: {', '.join(device_names())}"
        )
    file = folder / _FILE
    try:
        return Device.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"{file}: {_key(first['loc'])}: {first['msg']}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{file}: {error}") from None


def open_source(device: Device, worker: Worker) -> LatencySource:
    """The device's source, its work done in ``worker``; NasError if it cannot start."""
    source = _source(device, worker)
    if device.operators is None:
        return source
    return _Limited(source, device.name, device.operators)


def _source(device: Device, worker: Worker) -> LatencySource:
    settings = device.settings
    if isinstance(settings, HostSettings):
        timing = HostTiming(
            settings.threads, settings.warmup_runs, settings.minimum_runs, settings.minimum_seconds
        )
        return HostSource(timing, worker, timeout_seconds=settings.timeout_seconds)
    return VelaSource(
        VelaTarget(settings.accelerator, settings.system_config, settings.memory_mode),
        CpuFallback(settings.cpu_bandwidth_gb_per_s, settings.cpu_gmac_per_s),
        worker,
        timeout_seconds=settings.timeout_seconds,
    )


def _key(location: tuple[str | int, ...]) -> str:
    """The key at fault as it stands in the file: without the union's tag after ``settings``."""
    if location[:1] == ("settings",):
        location = location[:1] + location[2:]
    return ".".join(map(str, location)) or "the file"


def _shipped() -> Traversable:
    return files("latency_models") / "devices"


class _Limited(LatencySource):
    """A source that refuses operators that its device does not take."""

    def __init__(self, source: LatencySource, device: str, operators: frozenset[str]) -> None:
        self._source = source
        self._device = device
        self._operators = operators

    def measure(self, request: LatencyRequest) -> Latency:
        for kernel in request.kernels:
            if kernel.kind not in self._operators:
                raise LatencyError(
                    f"{request.name}: {self._device} does not take {kernel.kind} "
                    f"({kernel.name!r}); it takes {', '.join(sorted(self._operators))}"
                )
        return self._source.measure(request)
