"""Devices: folders with a device.toml, which says where latencies come from, and a device card."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, InstanceOf, ValidationError

from search_spaces import InputError, InputSpec, PixelShuffle
from search_spaces.naming import path_of, shortened, unknown

from .source import (
    Latency,
    LatencyRequest,
    LatencySource,
    UnsupportedOperators,
    WeightGranularity,
)
from .sources.adb.settings import SHORTHAND, AdbSettings, default_settings
from .sources.host import HostSettings
from .sources.regression.settings import RegressionSettings
from .sources.regression.source import RegressionSource
from .sources.rknn.settings import RknnSettings
from .sources.settings import SettingsTable, SourcePlace
from .sources.table import CsvSettings
from .sources.vela import VelaSettings
from .worker import Worker

_DEVICE_FILE = "device.toml"
#: Suffix of the name of a packaged regression; the part before it is the name of its device.
_REGRESSION_SUFFIX = "-regression"
#: Keys whose tables are discriminated unions; pydantic puts the tag after them in locations.
_UNION_KEYS = ("settings", "runner", "delegate")


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


class Device(SettingsTable):
    """The contents of a device.toml."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
    title: str
    #: the software that the latencies are valid for: compiler or runtime, with its version
    stack: str
    #: TFLite operators that the device supports; None (in the file: "any") means all of them
    operators: Annotated[frozenset[str] | None, BeforeValidator(_allowed_operators)]
    weights: Annotated[WeightGranularity, Field(strict=False)]
    input: Annotated[InputSpec, BeforeValidator(_input_spec)]
    #: how a search expresses the pixel shuffle (depth_to_space) for this device
    pixel_shuffle: Annotated[PixelShuffle, Field(strict=False)] = PixelShuffle.OPERATOR
    settings: Annotated[
        VelaSettings | HostSettings | AdbSettings | CsvSettings | RegressionSettings | RknnSettings,
        Field(discriminator="source"),
    ]
    #: the folder that contains device.toml and the tables that it names
    folder: Annotated[InstanceOf[Traversable], Field(exclude=True, repr=False)]

    @property
    def reference(self) -> str:
        """The argument with which ``load_device`` finds this device from any working directory."""
        if self.settings.source == "adb" and self.folder == Path():
            return f"{SHORTHAND}{self.settings.serial}"
        if self.folder == _packaged_devices() / self.name:
            return self.name
        return str(Path(str(self.folder)).resolve())

    @property
    def measured(self) -> bool:
        """Whether times are measured on the device itself, not compiled or predicted."""
        return self.settings.measures

    @property
    def fingerprint(self) -> str:
        """16 hex digits that change with any value set in device.toml, and with the tables.

        Settings left at their defaults do not count, so that a setting added by a new version of
        this package does not change the fingerprint of existing devices.
        """
        values = self.model_dump(mode="json", exclude={"operators"}, exclude_defaults=True)
        values["operators"] = sorted(self.operators or ())
        values["tables"] = [self._digest_of(table) for table in self.settings.tables]
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def conditions(self) -> str:
        """16 hex digits that change with the measurement conditions: software and settings."""
        values = self.model_dump(
            mode="json", include={"stack", "weights", "settings"}, exclude_defaults=True
        )
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def is_predicted(self) -> bool:
        """Whether its times are predicted by a regression."""
        return self.settings.predicts

    def _digest_of(self, table: str) -> str:
        try:
            return hashlib.sha256((self.folder / table).read_bytes()).hexdigest()
        except OSError as error:
            raise InputError(f"{self.folder / table}: cannot be read ({error.strerror})") from None


def device_names() -> tuple[str, ...]:
    """Names of the devices that come with the package."""
    return tuple(
        sorted(f.name for f in _packaged_devices().iterdir() if (f / _DEVICE_FILE).is_file())
    )


def load_device(name_or_folder: str | Path) -> Device:
    """Loads a device by its name, its folder, or as adb:SERIAL; a ``Path`` is always a folder.

    Raises InputError, which lists the known devices or says what is wrong in the file.
    """
    name = str(name_or_folder)
    path = name_or_folder if isinstance(name_or_folder, Path) else device_path(name)
    if path is None and name.startswith(SHORTHAND):
        return _adb_device(name.removeprefix(SHORTHAND))
    folder: Traversable = _packaged_devices() / name if path is None else path
    if not (name and (folder / _DEVICE_FILE).is_file()):
        raise InputError(
            f"{unknown('device', name, device_names())}; give a folder with a {_DEVICE_FILE} "
            f"or one of: {', '.join(device_names())}"
        )
    file = folder / _DEVICE_FILE
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8-sig"))
        return Device.model_validate(values | {"folder": folder})
    except ValidationError as error:
        first = error.errors()[0]
        message = first["msg"].removeprefix("Value error, ")
        raise InputError(f"{file}: {_toml_key(first['loc'])}: {message}") from None
    except (OSError, ValueError, RecursionError) as error:
        # The message of the TOML parser names the line.
        raise InputError(f"{file}: {error}") from None


def open_regression(device: Device) -> RegressionSource | None:
    """Opens a regression for the device; returns None if there is none.

    This is the device's own source if that is a regression, or else the regression of its compiler
    that comes with the package. It answers in a fraction of a millisecond, without a TFLite file or
    a worker. It does not check whether the device supports the operators: the caller does that.
    """
    name = f"{device.name}{_REGRESSION_SUFFIX}"
    if device.folder == _packaged_devices() / device.name and name in device_names():
        device = load_device(name)
    if not isinstance(device.settings, RegressionSettings):
        return None
    return device.settings.open(SourcePlace(device.name, device.folder, Worker()))


def device_path(name: str) -> Path | None:
    """Returns the folder that ``name`` refers to; None for a packaged device or adb:SERIAL."""
    return None if name.startswith(SHORTHAND) else path_of(name, device_names())


def find_device(reference: str, name: str | None = None) -> Device | None:
    """Loads the device of a stored ``reference``; None if it is gone or not named ``name``."""
    try:
        device = load_device(reference)
    except InputError:
        return None
    return device if name in (None, device.name) else None


def device_label(reference: str) -> str:
    """Returns a display name for the device of ``reference``, even if the device is gone."""
    device = find_device(reference)
    return device.name if device is not None else Path(reference).name


def _adb_device(serial: str) -> Device:
    """Returns a device without a folder: the CPU of SERIAL, timed by the benchmark_model on it."""
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
    """Opens the device's latency source, which works in ``worker``; NasError if it cannot start."""
    source = device.settings.open(SourcePlace(device.name, device.folder, worker))
    if device.operators is None:
        return source
    return _OperatorCheckingSource(source, device.name, device.operators)


def _toml_key(location: tuple[str | int, ...]) -> str:
    """Returns the invalid key as written in device.toml, without pydantic's tags of unions."""
    parts = [
        part
        for before, part in zip(("", *location), location, strict=False)
        if before not in _UNION_KEYS
    ]
    return ".".join(map(str, parts)) or "the file"


def _packaged_devices() -> Traversable:
    return files("latency_models") / "devices"


class _OperatorCheckingSource(LatencySource):
    """Wraps a source; raises UnsupportedOperators for operators that the device lacks."""

    def __init__(self, source: LatencySource, device: str, operators: frozenset[str]) -> None:
        self._source = source
        self._device = device
        self._operators = operators

    @property
    def reads_weights(self) -> bool:
        return self._source.reads_weights

    def run(self, request: LatencyRequest, image: bytes) -> bytes:
        return self._source.run(request, image)

    def measure(self, request: LatencyRequest) -> Latency:
        refused = {op.kind: op.name for op in request.operators if op.kind not in self._operators}
        if refused:
            named = ", ".join(f"{kind} ({shortened(name)!r})" for kind, name in refused.items())
            raise UnsupportedOperators(
                f"{request.name}: {self._device} does not take {named}; "
                f"it takes {', '.join(sorted(self._operators))}",
                refused,
            )
        return self._source.measure(request)
