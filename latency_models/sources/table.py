"""Times taken by hand, as off AI Benchmark's screen, from a CSV.

Its first line is ``model,input,device,ms`` and, if wanted, ``low_ms``, ``high_ms`` and ``note``. A
model is named by its graph's hash, or by the SHA-256 of its file (12 digits of it are enough).
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

_REQUIRED = ("model", "input", "device", "ms")
_OPTIONAL = ("low_ms", "high_ms", "note")
_HASH = re.compile(r"[0-9a-f]{12,64}")


class CsvSettings(SourceSettings):
    """A table of times in the device's folder."""

    measures: ClassVar[bool] = True

    source: Literal["csv"]
    table: Annotated[str, Field(pattern=r"^[^/\\]+\.csv$")] = "times.csv"

    @property
    def tables(self) -> tuple[str, ...]:
        """The one with the times."""
        return (self.table,)

    def open(self, place: SourcePlace) -> TableSource:
        """The table; InputError names the line at fault."""
        return TableSource(place.folder / self.table, place.name)


@dataclass(frozen=True)
class HandTime:
    """A line of the table; milliseconds, the interval as far as they were written down."""

    model: str
    input: InputSpec
    device: str
    ms: float
    low_ms: float
    high_ms: float
    note: str
    line: int

    def __post_init__(self) -> None:
        if not _HASH.fullmatch(self.model):
            raise InputError(
                f"model {self.model!r} is no hash; give the 16 digits of its graph's hash, or 12 "
                "to 64 of its file's SHA-256, in small letters"
            )
        if not 0 < self.low_ms <= self.ms <= self.high_ms:
            raise InputError(
                f"{self.low_ms:g}, {self.ms:g} and {self.high_ms:g} ms are not low_ms, ms and "
                "high_ms, in order and above 0"
            )

    def is_of(self, key: str) -> bool:
        """Whether ``key``, a graph's hash or a whole SHA-256, is this model's."""
        return key.startswith(self.model)


class TableSource(LatencySource):
    """Looks latencies up in a table; nothing is run or converted."""

    def __init__(self, file: Traversable, device: str) -> None:
        """InputError names the line of ``file`` that is at fault."""
        self._file = file
        self._device = device
        self._times = [time for time in read_times(file) if time.device == device]

    def measure(self, request: LatencyRequest) -> Latency:
        """Looks the model up; LatencyError, with the line to be added, if that lacks it."""
        key = request.graph_hash or request.given_sha256
        if not key:
            key = hashlib.sha256(request.make_tflite()).hexdigest()
        found = [time for time in self._times if time.is_of(key) and time.input == request.input]
        if not found:
            raise LatencyError(
                f"{request.name}: {self._file.name} has no time of it on {self._device}; take it, "
                f"and add the line {key[:16]},{request.input},{self._device},MILLISECONDS"
            )
        return _latency(found[0], request, self._file.name)


def _latency(time: HandTime, request: LatencyRequest, table: str) -> Latency:
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


def read_times(file: Traversable) -> tuple[HandTime, ...]:
    """The lines of a table; InputError names the file and the line."""
    times: list[HandTime] = []
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read ({error})") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = _header(next(reader, []))
        for cells in reader:
            if any(map(str.strip, cells)):
                time = _time(_row(header, cells), reader.line_num)
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


def _require_new(time: HandTime, times: Sequence[HandTime]) -> None:
    for other in times:
        same_model = other.is_of(time.model) or time.is_of(other.model)
        if same_model and (other.input, other.device) == (time.input, time.device):
            raise InputError(f"the same model as in line {other.line}; keep one of them")


def _time(row: Mapping[str, str], line: int) -> HandTime:
    ms = _number(row["ms"], "ms")
    half_a_digit = Decimal((0, (5,), _exponent(ms) - 1))
    low, high = (_number(row[key], key) if row.get(key) else None for key in ("low_ms", "high_ms"))
    return HandTime(
        model=row["model"],
        input=InputSpec.parse(row["input"]),
        device=row["device"],
        ms=float(ms),
        low_ms=float(ms - half_a_digit if low is None else low),
        high_ms=float(ms + half_a_digit if high is None else high),
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


def _exponent(number: Decimal) -> int:
    """Of its last digit: -1 for 36.9."""
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)
    return exponent
