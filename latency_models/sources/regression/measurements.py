"""Reads and writes the table of a device's measurements, a CSV file.

Columns:

* ``name`` of the row, unique;
* ``network``, equal for one network at several scales, and ``family``; rows of one network, or of
  one family, are left out together in cross-validation;
* ``stack``, the software that it was measured with;
* ``ms``, the time of one inference;
* ``operators_ms`` and ``engines``, if known: a value for each operator, separated by spaces;
* the network, either as ``graph`` (JSON) with its ``input`` (360x640), or as ``kernels``, its
  operators (JSON), which may also be single operators or those of any TFLite file;
* ``device``, ``conditions``, ``input`` and ``space``, the origin of a row, as `nas latency collect`
  writes it; not needed in a table made by hand.

``name``, ``ms`` and one of ``graph`` and ``kernels`` are required.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields

from search_spaces import Graph, GraphError, InputError, InputSpec, LoweredOperator, lower

from .operator_json import operators_from_json, operators_to_json

COLUMNS = (
    "name", "network", "family", "stack", "device", "conditions", "space", "input", "ms",
    "operators_ms", "engines", "graph", "kernels",
)  # fmt: skip


#: A nanosecond and eleven days; times outside are mistakes, which would spoil all predictions.
_MIN_MS, _MAX_MS = 1e-6, 1e9


@dataclass(frozen=True)
class MeasurementOrigin:
    """Origin of a row; it must be equal for all rows of a table."""

    device: str
    #: value of ``Device.conditions``
    conditions: str
    #: input size of the device, "360x640"; networks of a probe may have a smaller one
    input: str
    #: space and scale of the networks: "mobile x3"
    space: str

    def difference(self, other: MeasurementOrigin) -> str:
        """Describes the difference for messages; empty if both are equal."""
        differences = [
            f"{word} {getattr(self, key)}, not {getattr(other, key)}"
            for key, word in (("device", "device"), ("input", "input"), ("space", "networks of"))
            if getattr(self, key) != getattr(other, key)
        ]
        if not differences and self.conditions != other.conditions:
            return f"device {self.device} with other settings or software, as device.toml had them"
        return "; ".join(differences)


@dataclass(frozen=True)
class Measurement:
    """The measured time of one network; InputError if a value is invalid."""

    name: str
    operators: tuple[LoweredOperator, ...] = field(repr=False)
    ms: float
    network: str = ""
    family: str = ""
    stack: str = ""
    #: ms of each operator, or empty if unknown
    operators_ms: tuple[float, ...] = field(default=(), repr=False)
    #: engine of each operator, or empty if unknown
    engines: tuple[str, ...] = field(default=(), repr=False)
    #: None in tables made by hand
    origin: MeasurementOrigin | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not self.name or not self.operators:
            raise InputError("a measurement needs a name and at least one operator")
        if not _MIN_MS <= self.ms <= _MAX_MS:
            raise InputError(
                f"{self.name}: {self.ms} ms is no time; it is from {_MIN_MS:g} to {_MAX_MS:g} ms"
            )
        for what, values in (("times", self.operators_ms), ("engines", self.engines)):
            if values and len(values) != len(self.operators):
                raise InputError(
                    f"{self.name}: {len(values)} {what} for {len(self.operators)} operators"
                )
        if not all(math.isfinite(ms) and ms >= 0 for ms in self.operators_ms):
            raise InputError(f"{self.name}: operators' times are finite and not negative")
        for key in ("network", "family"):
            if not getattr(self, key):
                object.__setattr__(self, key, self.network or self.name)


#: Characters of the longest cell; the default of `csv`, 131072, only holds up to 900 operators.
_MAX_CELL_CHARACTERS = 1 << 30
_ORIGIN = tuple(item.name for item in fields(MeasurementOrigin))


def read_measurements(text: str, where: str) -> tuple[Measurement, ...]:
    """Reads the rows of a table; InputError names ``where``, the line, and the mistake."""
    csv.field_size_limit(max(csv.field_size_limit(), _MAX_CELL_CHARACTERS))
    lines = csv.DictReader(io.StringIO(text), strict=True)
    rows: list[Measurement] = []
    try:
        names = Counter(lines.fieldnames or ())
        unknown = sorted(names.keys() - set(COLUMNS))
        missing = sorted({"name", "ms"} - names.keys())
        if unknown or missing:
            raise InputError(
                f"{where}, line 1: columns {', '.join(unknown + missing)} unknown or missing; "
                f"known: {', '.join(COLUMNS)}"
            )
        if twice := sorted(name for name, times in names.items() if times > 1):
            raise InputError(
                f"{where}, line 1: columns {', '.join(twice)} are there twice; keep one of them"
            )
        for line in lines:
            try:
                rows.append(_measurement(line))
            except InputError as error:
                raise InputError(f"{where}, line {lines.line_num}: {error}") from None
    except csv.Error as error:
        raise InputError(f"{where}, line {lines.line_num}: {error}") from None
    if not rows:
        raise InputError(f"{where}: holds no measurement")
    _require_unique(rows, where)
    return tuple(rows)


def write_measurements(rows: Sequence[Measurement]) -> str:
    """Returns the text of a table that ``read_measurements`` reads as ``rows``."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    has_origin = any(row.origin for row in rows)
    left_out = {"graph"} if has_origin else {"graph", *_ORIGIN}
    columns = [column for column in COLUMNS if column not in left_out]
    table.writerow(columns)
    for row in rows:
        origin = {} if row.origin is None else vars(row.origin)
        cells = {
            **origin,
            "name": row.name, "network": row.network, "family": row.family, "stack": row.stack,
            "ms": f"{row.ms:.6g}",
            "operators_ms": " ".join(f"{ms:.5g}" for ms in row.operators_ms),
            "engines": " ".join(row.engines),
            "kernels": operators_to_json(row.operators),
        }  # fmt: skip
        table.writerow([cells.get(column, "") for column in columns])
    return out.getvalue()


def _measurement(line: dict[str, str | None]) -> Measurement:
    cells = {key: (value or "").strip() for key, value in line.items() if key is not None}
    if None in line:
        raise InputError("more cells than columns; quote a cell that holds commas")
    try:
        ms = float(cells["ms"])
        operators_ms = tuple(map(float, cells.get("operators_ms", "").split()))
    except ValueError as error:
        raise InputError(f"not a number ({error})") from None
    return Measurement(
        name=cells["name"],
        operators=_operators(cells),
        ms=ms,
        network=cells.get("network", ""),
        family=cells.get("family", ""),
        stack=cells.get("stack", ""),
        operators_ms=operators_ms,
        engines=tuple(cells.get("engines", "").split()),
        origin=MeasurementOrigin(**{key: cells.get(key, "") for key in _ORIGIN})
        if cells.get("device")
        else None,
    )


def _operators(cells: dict[str, str]) -> tuple[LoweredOperator, ...]:
    graph, operators = cells.get("graph", ""), cells.get("kernels", "")
    if bool(graph) == bool(operators):
        raise InputError("give either a graph or kernels")
    try:
        data = json.loads(graph or operators)
    except (ValueError, RecursionError) as error:
        raise InputError(f"no JSON in {'graph' if graph else 'operators'}: {error}") from None
    if operators:
        return operators_from_json(data)
    if not cells.get("input"):
        raise GraphError("a graph needs its input size, as 360x640")
    return lower(Graph.from_json(data), InputSpec.parse(cells["input"]))


def _require_unique(rows: Sequence[Measurement], where: str) -> None:
    seen: set[str] = set()
    for row in rows:
        if row.name in seen:
            raise InputError(f"{where}: {row.name!r} is measured twice; keep one row")
        seen.add(row.name)
