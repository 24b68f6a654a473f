"""Reads from the output of benchmark_model how many operators a delegate took.

benchmark_model prints a time even if its delegate did nothing. A time is therefore accepted only if
the output also states what the delegate did. Sources of these statements:
tensorflow/lite/tools/benchmark/benchmark_tflite_model.cc,
lite/core/subgraph.cc, lite/delegates/utils/simple_delegate.cc.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from .errors import DeviceError
from .printed import complete_lines

_XNNPACK = "XNNPACK"
_FAILURE = re.compile(
    r"could not create .*delegate|could not (?:find|load|open) .*(?:accelerator|delegate|\.so)"
    r"|failed to (?:apply|create|load|initiali[sz]e) .*(?:delegate|\.so)"
    r"|(?:delegate|acceleration) is (?:not supported|unsupported)|unsupported on this platform"
    r"|disallowed cpu fallback",
    re.IGNORECASE,
)
_APPLIED = re.compile(
    r"(?:Explicitly a|A)pplied (\S+) delegate, and the model graph will be "
    r"(completely|partially) executed\b.*"
)
_NOT_APPLIED = re.compile(
    r"Though (\S+) delegate is explicitly applied, the model graph will not be executed\b.*"
)
_REPLACED = re.compile(
    r"Replacing (\d{1,9})(?: out of \d+)? node\(s\) with delegate \((.+)\) node, yielding \d+ .*"
)
_DELEGATED = re.compile(
    r".*delegate: (\d{1,9}) nodes delegated out of \d+ nodes\b.*", re.IGNORECASE
)


class _Extent(Enum):
    """The part of a model that a delegate runs, in the tool's words."""

    ALL = "completely"
    PART = "partially"
    NOTHING = "not"


@dataclass(frozen=True)
class Delegate:
    """A delegate that runs the model; ``label`` is its name in benchmark_model's output.

    ``engine`` is its name in results; ``flags`` select it.
    """

    label: str
    engine: str
    flags: tuple[str, ...]

    @property
    def on_processor(self) -> bool:
        """Whether it is the CPU, which also runs the operators that a delegate leaves."""
        return self.label == _XNNPACK


@dataclass(frozen=True)
class Delegation:
    """``delegate`` took ``taken`` (1 or more) of ``nodes`` operators; ``text`` is the output."""

    delegate: Delegate
    taken: int
    nodes: int
    text: str


def read_delegation(text: str, delegate: Delegate, nodes: int) -> Delegation:
    """Reads how much of a model of ``nodes`` operators the delegate took.

    DeviceError if it was not created, took nothing, or if the output does not say how much.
    """
    return Delegation(delegate, _taken_nodes(text, delegate, nodes), nodes, text)


def _taken_nodes(text: str, delegate: Delegate, nodes: int) -> int:
    lines = complete_lines(text)
    if failure := _failure(lines, delegate):
        raise DeviceError(f"the {delegate.label} delegate could not be used: {failure}", text)
    extent = _extent(lines, delegate)
    if extent is _Extent.NOTHING:
        raise DeviceError(f"the {delegate.label} delegate took no operator", text)
    replaced = _replaced_nodes(lines, delegate)
    if extent is None and replaced is None:
        raise DeviceError(f"no statement that the {delegate.label} delegate was applied", text)
    if replaced is None:
        if extent is _Extent.ALL:
            return nodes
        raise DeviceError(
            f"the {delegate.label} delegate took some operators; no statement says how many",
            text,
        )
    contradicted = extent is _Extent.ALL and replaced != nodes
    if contradicted or not 0 < replaced <= nodes:
        raise DeviceError(
            f"the {delegate.label} delegate took {replaced} of the model's {nodes} operators"
            f"{', and all of them' if contradicted else ''}",
            text,
        )
    return replaced


def _failure(lines: Sequence[str], delegate: Delegate) -> str | None:
    """Returns the line about a failure of this delegate; XNNPACK's do not count for others."""
    for line in lines:
        if _FAILURE.search(line) and (delegate.on_processor or _XNNPACK not in line):
            return line
    return None


def _extent(lines: Sequence[str], delegate: Delegate) -> _Extent | None:
    """Returns the extent that the output states; None if it states none."""
    for line in lines:
        if (match := _APPLIED.fullmatch(line)) and match[1] == delegate.label:
            return _Extent(match[2])
        if (match := _NOT_APPLIED.fullmatch(line)) and match[1] == delegate.label:
            return _Extent.NOTHING
    return None


def _replaced_nodes(lines: Sequence[str], delegate: Delegate) -> int | None:
    """Returns the number of nodes replaced, as stated by the interpreter or else the delegate."""
    for line in reversed(lines):
        if match := _REPLACED.fullmatch(line):
            by_processor = _XNNPACK in match[2].upper()
            if by_processor == delegate.on_processor:
                return int(match[1])
    for line in reversed(lines):
        if match := _DELEGATED.fullmatch(line):
            return int(match[1])
    return None
