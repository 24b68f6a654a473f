"""A device: a folder with device.toml, which says how its latencies are known, and a card."""

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

_FILE = "device.toml"
#: Ends the name of a regression of the device whose name it begins with.
_REGRESSION = "-regression"
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
    #: how a search writes depth_to_space for it
    pixel_shuffle: Annotated[PixelShuffle, Field(strict=False)] = PixelShuffle.OPERATOR
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
        """Whether times are measured on the device itself, not compiled or predicted."""
        return self.settings.measures

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
        """Whether its times are predicted by a regression."""
        return self.settings.predicts

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
            f"{unknown('device', name, device_names())}; give a folder with a {_FILE} "
            f"or one of: {', '.join(device_names())}"
        )
    file = folder / _FILE
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8-sig"))
        return Device.model_validate(values | {"folder": folder})
    except ValidationError as error:
        first = error.errors()[0]
        message = first["msg"].removeprefix("Value error, ")
        raise InputError(f"{file}: {_key(first['loc'])}: {message}") from None
    except (OSError, ValueError, RecursionError) as error:  # TOML's own names the line
        raise InputError(f"{file}: {error}") from None


def open_regression(device: Device) -> RegressionSource | None:
    """The device's regression, or one of its compiler that comes with the package; None: neither.

    It answers in a fraction of a millisecond, without a file or a worker, and leaves it to its
    caller which operators the device takes.
    """
    name = f"{device.name}{_REGRESSION}"
    if device.folder == _shipped() / device.name and name in device_names():
        device = load_device(name)
    if not isinstance(device.settings, RegressionSettings):
        return None
    return device.settings.open(SourcePlace(device.name, device.folder, Worker()))


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
    source = device.settings.open(SourcePlace(device.name, device.folder, worker))
    if device.operators is None:
        return source
    return _Limited(source, device.name, device.operators)


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
    """A source that refuses operators that its device does not support."""

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
        refused = {k.kind: k.name for k in request.operators if k.kind not in self._operators}
        if refused:
            named = ", ".join(f"{kind} ({shortened(name)!r})" for kind, name in refused.items())
            raise UnsupportedOperators(
                f"{request.name}: {self._device} does not take {named}; "
                f"it takes {', '.join(sorted(self._operators))}",
                refused,
            )
        return self._source.measure(request)
