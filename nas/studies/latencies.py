"""What is known of trials' latencies better than when they ran: measured, or told anew.

A file in the study's folder. Optuna's trials keep what their proposals were judged by.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from latency_models import Latency, LatencyError
from latency_models.latency_json import latency_from_json, latency_to_json
from search_spaces import NasError

from ..system.files import write_json
from .record import TrialRecord


@dataclass(frozen=True)
class TrialLatency:
    """A trial's latency, and the device that it is of: a name or a folder."""

    trial: int
    device: str
    latency: Latency


@dataclass(frozen=True)
class Latencies:
    """Of one study. No trial is both measured and predicted."""

    #: the name of the device that measured
    measured_on: str = ""
    measured: tuple[TrialLatency, ...] = ()
    #: trials whose measurements the predictions rest on
    fitted: frozenset[int] = frozenset()
    predicted: tuple[TrialLatency, ...] = ()
    #: by another version of the compiler than the trials themselves
    compiled: tuple[TrialLatency, ...] = ()

    @property
    def measured_trials(self) -> frozenset[int]:
        """Numbers of the trials that were measured."""
        return frozenset(row.trial for row in self.measured)

    def applied_to(self, record: TrialRecord) -> TrialRecord:
        """``record`` with what is known better of it."""
        row = self._by_trial.get(record.number)
        return record if row is None else record.timed(row.latency, row.device)

    @cached_property
    def _by_trial(self) -> dict[int, TrialLatency]:
        return {row.trial: row for row in (*self.compiled, *self.measured, *self.predicted)}

    def with_measured(self, device: str, row: TrialLatency) -> Latencies:
        """With one trial's latency measured on ``device``; its prediction is forgotten."""
        return replace(
            self,
            measured_on=device,
            measured=(*self.measured, row),
            predicted=tuple(old for old in self.predicted if old.trial != row.trial),
        )

    def with_predicted(self, rows: tuple[TrialLatency, ...]) -> Latencies:
        """With the others' latencies predicted by a model that all measurements have gone into."""
        return replace(self, fitted=self.measured_trials, predicted=rows)

    def with_compiled(self, rows: tuple[TrialLatency, ...]) -> Latencies:
        """With these trials compiled anew, whatever was compiled before."""
        new = {row.trial for row in rows}
        return replace(
            self, compiled=(*(old for old in self.compiled if old.trial not in new), *rows)
        )


def read_latencies(file: Path) -> Latencies:
    """What ``file`` holds, nothing if it is not there; NasError if it is damaged."""
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        return Latencies(
            measured_on=values["measured_on"],
            measured=tuple(_row(row) for row in values["measured"]),
            fitted=frozenset(values["fitted"]),
            predicted=tuple(_row(row) for row in values["predicted"]),
            # not known to earlier versions
            compiled=tuple(_row(row) for row in values.get("compiled", ())),
        )
    except FileNotFoundError:
        return Latencies()
    except (OSError, ValueError, KeyError, TypeError, LatencyError) as error:
        raise NasError(
            f"{file}: the measured latencies cannot be read ({error!r}); restore the file, or "
            "delete it and measure anew by --confirm"
        ) from None


def write_latencies(file: Path, latencies: Latencies) -> None:
    """Brings ``file`` up to date."""
    values = {
        "measured_on": latencies.measured_on,
        "measured": [_plain(row) for row in latencies.measured],
        "fitted": sorted(latencies.fitted),
        "predicted": [_plain(row) for row in latencies.predicted],
        "compiled": [_plain(row) for row in latencies.compiled],
    }
    write_json(file, values)


def _plain(row: TrialLatency) -> dict[str, Any]:
    return {
        "trial": row.trial, "device": row.device, "latency": latency_to_json(row.latency),
    }  # fmt: skip


def _row(values: dict[str, Any]) -> TrialLatency:
    latency = latency_from_json(values["latency"])
    return TrialLatency(int(values["trial"]), str(values["device"]), latency)
