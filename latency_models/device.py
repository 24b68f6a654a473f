"""A device: a folder with device.toml, which says how its latencies are known, and a card."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, InstanceOf, PositiveFloat, PositiveInt, ValidationError

from search_spaces import InputError, InputSpec
from search_spaces.naming import path_of, shortened

from .adb.settings import SHORTHAND, AdbSettings, default_settings
from .fallback import CpuFallback
from .host import HostSource, HostTiming
from .regression.settings import RegressionSettings
from .rknn.settings import RknnSettings
from .settings import SettingsTable
from .source import (
    Latency,
    LatencyRequest,
    LatencySource,
    UnsupportedOperators,
    WeightGranularity,
)
from .table import CsvSettings, TableSource
from .vela import VelaSource, VelaTarget
from .worker import Worker

_FILE = "device.toml"
#: Tables that are one of several kinds.
_TAGGED = ("settings", "runner", "delegate")


def _input_spec(value: object) -> InputSpec:
    if isinstance(value, InputSpec):
        return value
    try:
        return InputSpec.parse(str(value))
    except InputError as error:
        raise ValueError(str(error)) from None


def _allowed_operators(value: object) -> frozenset[str] | None:
    if value in ("any", None):
        return None
    if not (isinstance(value, list) and value and all(isinstance(kind, str) for kind in value)):
        raise ValueError("must be 'any' or a list of TFLite operators, as CONV_2D")
    return frozenset(value)


class VelaSettings(SettingsTable):
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


class HostSettings(SettingsTable):
    """The processor of this machine."""

    source: Literal["host"]
    threads: PositiveInt = 1
    warmup_runs: PositiveInt = 3
    minimum_runs: PositiveInt = 10
    minimum_seconds: PositiveFloat = 1.0
    timeout_seconds: PositiveFloat = 300.0


class Device(SettingsTable):
    """A device as its folder describes it."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
    title: str
    #: the software that a latency holds for: compiler or runtime with its version
    stack: str
    #: TFLite's operators that the device takes at all; None, in the file "any": all of them
    operators: Annotated[frozenset[str] | None, BeforeValidator(_allowed_operators)]
    weights: Annotated[WeightGranularity, Field(strict=False)]
    input: Annotated[InputSpec, BeforeValidator(_input_spec)]
    settings: Annotated[
        VelaSettings | HostSettings | AdbSettings | CsvSettings | RegressionSettings | RknnSettings,
        Field(discriminator="source"),
    ]
    #: where device.toml lies, and tables beside it
    folder: Annotated[InstanceOf[Traversable], Field(exclude=True, repr=False)]

    @property
    def reference(self) -> str:
        """The word that ``load_device`` takes for it in any folder of this machine."""
        if self.settings.source == "adb" and self.folder == Path():
            return f"{SHORTHAND}{self.settings.serial}"
        if self.folder == _shipped() / self.name:
            return self.name
        return str(Path(str(self.folder)).resolve())

    @property
    def measured(self) -> bool:
        """Its times are those of the device itself, not of a compiler or a model of it."""
        return isinstance(self.settings, HostSettings | AdbSettings | CsvSettings)

    @property
    def fingerprint(self) -> str:
        """16 hex digits that change with any value that the file sets, and with its tables.

        Not with what is left at its default: a setting that comes with a new version of this
        package leaves every device that does not know it as it is.
        """
        values = self.model_dump(mode="json", exclude={"operators"}, exclude_defaults=True)
        values["operators"] = sorted(self.operators or ())
        values["tables"] = [self._digest_of(table) for table in self.settings.tables]
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def conditions(self) -> str:
        """16 hex digits that change with what its times are taken under: software and settings."""
        values = self.model_dump(
            mode="json", include={"stack", "weights", "settings"}, exclude_defaults=True
        )
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def is_predicted(self) -> bool:
        """Are its times those of a regression?"""
        return isinstance(self.settings, RegressionSettings)

    def _digest_of(self, table: str) -> str:
        try:
            return hashlib.sha256((self.folder / table).read_bytes()).hexdigest()
        except OSError as error:
            raise InputError(f"{self.folder / table}: cannot be read ({error.strerror})") from None


def device_names() -> tuple[str, ...]:
    """Names of the devices that come with the package."""
    return tuple(sorted(f.name for f in _shipped().iterdir() if (f / _FILE).is_file()))


def load_device(name_or_folder: str | Path) -> Device:
    """The device of that name or in that folder, or of adb:SERIAL; a ``Path`` is a folder.

    InputError says what is known or wrong.
    """
    name = str(name_or_folder)
    path = name_or_folder if isinstance(name_or_folder, Path) else device_path(name)
    if path is None and name.startswith(SHORTHAND):
        return _adb_device(name.removeprefix(SHORTHAND))
    folder: Traversable = _shipped() / name if path is None else path
    if not (name and (folder / _FILE).is_file()):
        raise InputError(
            f"unknown device {name!r}; give a folder with a {_FILE} "
            f"or one of: {', '.join(device_names())}"
        )
    file = folder / _FILE
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
        return Device.model_validate(values | {"folder": folder})
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"{file}: {_key(first['loc'])}: {first['msg']}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{file}: {error}") from None


def device_path(name: str) -> Path | None:
    """The folder that ``name`` means; None for a device of the package, or adb:SERIAL."""
    return None if name.startswith(SHORTHAND) else path_of(name, device_names())


def find_device(reference: str, name: str | None = None) -> Device | None:
    """The device of an earlier ``reference``, if it is still there, and of that ``name``."""
    try:
        device = load_device(reference)
    except InputError:
        return None
    return device if name in (None, device.name) else None


def device_label(reference: str) -> str:
    """What people call the device of ``reference``, be it still there or not: no path of a disk."""
    device = find_device(reference)
    return device.name if device is not None else Path(reference).name


def _adb_device(serial: str) -> Device:
    """A device without a folder: its processor, by a benchmark_model that is on it."""
    if not serial:
        raise InputError(f"{SHORTHAND} lacks a serial; `adb devices` lists them")
    return Device(
        name=f"adb-{re.sub('[^a-z0-9._-]', '-', serial.lower())}",
        title=f"{serial} over adb: its processor, XNNPACK",
        stack="benchmark_model as it is on the device",
        operators=None,
        weights=WeightGranularity.CHANNEL,
        input=InputSpec(360, 640),
        settings=default_settings(serial),
        folder=Path(),
    )


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
    if isinstance(settings, AdbSettings | RknnSettings):
        return settings.open()
    if isinstance(settings, CsvSettings):
        return TableSource(device.folder / settings.table, device.name)
    if isinstance(settings, RegressionSettings):
        return settings.open(device.folder)
    return VelaSource(
        VelaTarget(settings.accelerator, settings.system_config, settings.memory_mode),
        CpuFallback(settings.cpu_bandwidth_gb_per_s, settings.cpu_gmac_per_s),
        worker,
        timeout_seconds=settings.timeout_seconds,
    )


def _key(location: tuple[str | int, ...]) -> str:
    """The key at fault as it stands in the file: without the tags that choose a kind of table."""
    parts = [
        part
        for before, part in zip(("", *location), location, strict=False)
        if before not in _TAGGED
    ]
    return ".".join(map(str, parts)) or "the file"


def _shipped() -> Traversable:
    return files("latency_models") / "devices"


class _Limited(LatencySource):
    """A source that refuses operators that its device does not take."""

    def __init__(self, source: LatencySource, device: str, operators: frozenset[str]) -> None:
        self._source = source
        self._device = device
        self._operators = operators

    @property
    def reads_weights(self) -> bool:
        return self._source.reads_weights

    def measure(self, request: LatencyRequest) -> Latency:
        refused = {k.kind: k.name for k in request.kernels if k.kind not in self._operators}
        if refused:
            named = ", ".join(f"{kind} ({shortened(name)!r})" for kind, name in refused.items())
            raise UnsupportedOperators(
                f"{request.name}: {self._device} does not take {named}; "
                f"it takes {', '.join(sorted(self._operators))}",
                refused,
            )
        return self._source.measure(request)
