"""Parses the profile of operators that benchmark_model prints with ``--enable_op_profiling``."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from .errors import DeviceError
from .printed import complete_lines

_TABLE_TITLE = "Run Order"
_OTHER_TITLES = ("Top by Computation Time", "Summary by node type", "Number of nodes executed")
_INITIALIZATION = "Profiling Info for Benchmark Initialization"
_REGULAR = "Operator-wise Profiling Info for Regular Benchmark Runs"
_SEPARATOR = r"(?:\s*,\s*|\s+)"
#: kind, [start in old builds,] first, avg ms, %, cumulated %, KB, times called, name
_ROW = re.compile(
    rf"(?P<kind>\S.*?)(?:{_SEPARATOR}\d+(?:\.\d+)?){{2,3}}{_SEPARATOR}(?P<share>\d+(?:\.\d+)?)%"
    rf"{_SEPARATOR}\d+(?:\.\d+)?%{_SEPARATOR}\d+(?:\.\d+)?{_SEPARATOR}\d+{_SEPARATOR}(?P<name>\S.*)"
)
#: The end of a row's name: the index of the node in the model's graph.
_INDEX = re.compile(r"\]:(\d{1,9})\b")
#: Prefix of rows of a delegate's own operators, whose kinds may have names of TFLite operators.
_DELEGATE_PREFIX = "Delegate/"
_EXECUTED = re.compile(r"Number of nodes executed: (\d{1,9})")
#: Shares are rounded to 3 decimals of a percent.
_SUM_TOLERANCE = 0.005


@dataclass(frozen=True)
class ProfileRow:
    """A node that ran: ``kind`` is TFLite's operator or the name of a delegate's own operator."""

    kind: str
    #: index among the nodes of the graph; None for delegates' rows and in old builds
    index: int | None
    #: share of the time of all rows, 0 to 1
    share: float


def read_profile(text: str) -> tuple[ProfileRow, ...]:
    """Returns the rows of the timed runs in order; empty if the tool printed no profile.

    Reads tables and CSV. DeviceError if rows are missing or their shares do not add up to 1.
    """
    lines = complete_lines(text)
    start = _first_row(lines)
    if start is None:
        if any(_REGULAR in line for line in lines):
            raise DeviceError("the profile is cut off before its table; measure again", text)
        return ()
    body = lines[start:]
    end = next((i for i, line in enumerate(body) if _contains_any(line, _OTHER_TITLES)), len(body))
    rows = tuple(_profile_row(match) for line in body[:end] if (match := _ROW.fullmatch(line)))
    total = math.fsum(row.share for row in rows)
    if abs(total - 1) > _SUM_TOLERANCE or not _is_complete(lines, start, len(rows)):
        raise DeviceError(
            f"the profile is cut off or garbled: {len(rows)} rows with {total:.1%} of the time; "
            "measure again",
            text,
        )
    return rows


def _first_row(lines: Sequence[str]) -> int | None:
    """Returns the index after the header of the last table in run order, except initialization."""
    start, initializing = None, False
    for index, line in enumerate(lines):
        if _contains_any(line, (_INITIALIZATION, _REGULAR)):
            initializing = _INITIALIZATION in line
        table = _TABLE_TITLE in line or line.lower().startswith("node type")
        if table and not initializing:
            start = index + 1
    return start


def _is_complete(lines: Sequence[str], start: int, rows: int) -> bool:
    """Whether there are as many rows as nodes executed; true for CSV, which has no count."""
    if _TABLE_TITLE not in lines[start - 1]:
        return True
    counts = [int(match[1]) for line in lines[start:] if (match := _EXECUTED.fullmatch(line))]
    return counts[:1] == [rows]


def _contains_any(line: str, parts: Sequence[str]) -> bool:
    return any(part in line for part in parts)


def _profile_row(match: re.Match[str]) -> ProfileRow:
    kind, name, share = match["kind"], match["name"], float(match["share"]) / 100
    if name.startswith(_DELEGATE_PREFIX):
        return ProfileRow(name, None, share)
    index = _INDEX.search(name)
    return ProfileRow(kind, None if index is None else int(index[1]), share)
