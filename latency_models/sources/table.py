"""Reads times that were measured by hand, for instance with the AI Benchmark app, from a CSV file.

The columns are ``model,input,device,ms`` and optionally ``low_ms``, ``high_ms`` and ``note``. A
model is identified by its graph's hash, or by the SHA-256 of its file (12 digits are enough).
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from importlib.resources.abc import Traversable
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from search_spaces import InputError, InputSpec

from ..source import INTERVAL, Latency, LatencyError, LatencyRequest, LatencySource
from .apportioning import SHARING_RULE, shared_out
from .settings import SourcePlace, SourceSettings

#: Required and optional columns of the table.
_REQUIRED = ("model", "input", "device", "ms")
_OPTIONAL = ("low_ms", "high_ms", "note")
_HASH_PATTERN = re.compile(r"[0-9a-f]{12,64}")


class CsvSettings(SourceSettings):
    """Settings of a device whose times are in a table in its folder."""

    measures: ClassVar[bool] = True

    source: Literal["csv"]
    table: Annotated[str, Field(pattern=r"^[^/\\]+\.csv$")] = "times.csv"

    @property
    def tables(self) -> tuple[str, ...]:
        """The name of the table of times."""
        return (self.table,)

    def open(self, place: SourcePlace) -> TableSource:
        """Returns the latency source; InputError names an invalid line of the table."""
        return TableSource(place.folder / self.table, place.name)


@dataclass(frozen=True)
class TimeEntry:
    """A line of the table: the time of a model in ms, with its interval."""

    model: str
    input: InputSpec
    device: str
    ms: float
    low_ms: float
    high_ms: float
    note: str
    line: int

    def __post_init__(self) -> None:
        if not _HASH_PATTERN.fullmatch(self.model):
            raise InputError(
                f"model {self.model!r} is no hash; give the 16 digits of its graph's hash, or 12 "
                "to 64 of its file's SHA-256, in small letters"
            )
        if not 0 < self.low_ms <= self.ms <= self.high_ms:
            raise InputError(
                f"{self.low_ms:g}, {self.ms:g} and {self.high_ms:g} ms are not low_ms, ms and "
                "high_ms, in order and above 0"
            )

    def matches(self, key: str) -> bool:
        """Whether ``key``, a graph's hash or a whole SHA-256, identifies this model."""
        return key.startswith(self.model)


class TableSource(LatencySource):
    """Looks up latencies in a table; no model is run or converted."""

    def __init__(self, file: Traversable, device: str) -> None:
        """Reads the rows of ``device`` from ``file``; InputError names an invalid line."""
        self._file = file
        self._device = device
        self._times = [time for time in read_times(file) if time.device == device]

    def measure(self, request: LatencyRequest) -> Latency:
        """Looks up the model; LatencyError, with the line to add, if the table lacks it."""
        key = request.graph_hash or request.given_sha256
        if not key:
            key = hashlib.sha256(request.make_tflite()).hexdigest()
        found = [time for time in self._times if time.matches(key) and time.input == request.input]
        if not found:
            raise LatencyError(
                f"{request.name}: {self._file.name} has no time of it on {self._device}; take it, "
                f"and add the line {key[:16]},{request.input},{self._device},MILLISECONDS"
            )
        return _latency_of(found[0], request, self._file.name)


def _latency_of(time: TimeEntry, request: LatencyRequest, table: str) -> Latency:
    return Latency(
        ms=time.ms,
        low_ms=time.low_ms,
        high_ms=time.high_ms,
        operators=shared_out(time.ms, request.operators, "device"),
        on_cpu=(),
        source="csv",
        conditions=(
            ("table", f"{table}, line {time.line}"),
            (INTERVAL, "as written down, or half of the last digit to either side"),
            *((("note", time.note),) if time.note else ()),
            ("operators", SHARING_RULE),
        ),
        operators_shared=True,
    )


def read_times(file: Traversable) -> tuple[TimeEntry, ...]:
    """Reads the lines of a table; InputError names the file and the line."""
    times: list[TimeEntry] = []
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read ({error})") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = _header(next(reader, []))
        for cells in reader:
            if any(map(str.strip, cells)):
                time = _time_entry(_row(header, cells), reader.line_num)
                _require_new(time, times)
                times.append(time)
    except (InputError, csv.Error) as error:
        raise InputError(f"{file}, line {max(1, reader.line_num)}: {error}") from None
    return tuple(times)


def _header(cells: Sequence[str]) -> tuple[str, ...]:
    names = tuple(name.strip() for name in cells)
    if not set(_REQUIRED) <= set(names) <= {*_REQUIRED, *_OPTIONAL} or len({*names}) != len(names):
        raise InputError(
            f"the columns are {','.join(names) or 'missing'}; they must be {','.join(_REQUIRED)}, "
            f"and may be {','.join(_OPTIONAL)}"
        )
    return names


def _row(header: Sequence[str], cells: Sequence[str]) -> Mapping[str, str]:
    if len(cells) != len(header):
        raise InputError(f"{len(cells)} values for {len(header)} columns")
    return dict(zip(header, map(str.strip, cells), strict=True))


def _require_new(time: TimeEntry, times: Sequence[TimeEntry]) -> None:
    for other in times:
        same_model = other.matches(time.model) or time.matches(other.model)
        if same_model and (other.input, other.device) == (time.input, time.device):
            raise InputError(f"the same model as in line {other.line}; keep one of them")


def _time_entry(row: Mapping[str, str], line: int) -> TimeEntry:
    ms = _number(row["ms"], "ms")
    half_digit = Decimal((0, (5,), _last_digit_exponent(ms) - 1))
    low, high = (_number(row[key], key) if row.get(key) else None for key in ("low_ms", "high_ms"))
    return TimeEntry(
        model=row["model"],
        input=InputSpec.parse(row["input"]),
        device=row["device"],
        ms=float(ms),
        low_ms=float(ms - half_digit if low is None else low),
        high_ms=float(ms + half_digit if high is None else high),
        note=row.get("note", ""),
        line=line,
    )


def _number(text: str, column: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("nan")
    if not (number.is_finite() and 0 < number < 10**9):
        raise InputError(f"{column} {text!r} is no number of milliseconds, as 36.9")
    return number


def _last_digit_exponent(number: Decimal) -> int:
    """Returns the decimal exponent of the last digit: -1 for 36.9."""
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)
    return exponent
