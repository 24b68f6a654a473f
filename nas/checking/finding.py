"""Findings of a check: a problem at an operator, its cost, and advice."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from latency_models import Latency, OperatorLatency


class Severity(StrEnum):
    """Severity: an error (wrong, or refused by the device), a warning (slow), or a note."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Problem(StrEnum):
    """Kinds of problems, as programs that read a report see them."""

    FLOAT = "float"
    DYNAMIC_RANGE = "dynamic range"
    INT16 = "int16"
    NOT_QUANTIZED = "not quantized"
    OPEN_SHAPE = "open shape"
    LEVELS = "levels"
    UNSUPPORTED = "unsupported"
    GRANULARITY = "weight granularity"
    CLIP = "clip"
    FALLBACK = "fallback"
    SLOW_OPERATOR = "slow operator"
    CHANNELS = "channels"


@dataclass(frozen=True)
class Finding:
    """One problem; ``ms`` is its estimated cost on the device, None if unknown."""

    severity: Severity
    problem: Problem
    #: name of the operator's first output tensor, and TFLite's name of its kind
    operator: str
    kind: str
    ms: float | None
    what: str
    advice: str


@dataclass(frozen=True)
class Report:
    """All findings, the worst first, and the model's latency on the device, if known."""

    model: str
    #: name of the device; None if only the file was checked
    device: str | None
    findings: tuple[Finding, ...]
    latency: Latency | None
    #: why the latency is unknown; empty if it is known or no device was given
    untimed: str

    @property
    def clean(self) -> bool:
        """Whether there are only notes, and a latency if a device was given."""
        only_notes = all(finding.severity is Severity.NOTE for finding in self.findings)
        return only_notes and not self.untimed

    @property
    def largest(self) -> OperatorLatency | None:
        """The operator with the largest share of the model's time."""
        if self.latency is None:
            return None
        return max(self.latency.operators, key=lambda row: row.ms)
