"""Latencies of a study's trials that were measured, predicted or compiled after the trials ran.

They are stored in a file in the study's folder and replace the trials' original latencies. Optuna's
trials keep the latencies that were known when they ran.
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
    """A trial's latency on a device, which is given by its name or its folder."""

    trial: int
    device: str
    latency: Latency


@dataclass(frozen=True)
class Latencies:
    """The newer latencies of one study's trials; no trial is both measured and predicted."""

    #: Name of the device that measured.
    measured_on: str = ""
    measured: tuple[TrialLatency, ...] = ()
    #: Numbers of the trials whose measurements the predictions are based on.
    fitted: frozenset[int] = frozenset()
    predicted: tuple[TrialLatency, ...] = ()
    #: Latencies computed by another compiler version than when the trials ran.
    compiled: tuple[TrialLatency, ...] = ()

    @property
    def measured_trials(self) -> frozenset[int]:
        """Numbers of the trials that were measured."""
        return frozenset(row.trial for row in self.measured)

    def applied_to(self, record: TrialRecord) -> TrialRecord:
        """Returns ``record`` with the trial's newer latency, if there is one."""
        row = self._latency_of_trial.get(record.number)
        return record if row is None else record.timed(row.latency, row.device)

    @cached_property
    def _latency_of_trial(self) -> dict[int, TrialLatency]:
        return {row.trial: row for row in (*self.compiled, *self.measured, *self.predicted)}

    def with_measured(self, device: str, row: TrialLatency) -> Latencies:
        """Returns a copy with one trial's latency measured on ``device``; drops its prediction."""
        return replace(
            self,
            measured_on=device,
            measured=(*self.measured, row),
            predicted=tuple(old for old in self.predicted if old.trial != row.trial),
        )

    def with_predicted(self, rows: tuple[TrialLatency, ...]) -> Latencies:
        """Returns a copy with predictions by a model that was fitted to all measured trials."""
        return replace(self, fitted=self.measured_trials, predicted=rows)

    def with_compiled(self, rows: tuple[TrialLatency, ...]) -> Latencies:
        """Returns a copy with new compiled latencies; they replace these trials' earlier ones."""
        new = {row.trial for row in rows}
        return replace(
            self, compiled=(*(old for old in self.compiled if old.trial not in new), *rows)
        )


def read_latencies(file: Path) -> Latencies:
    """Reads the latencies in ``file``; empty if it does not exist.

    Raises NasError if it is damaged.
    """
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        return Latencies(
            measured_on=values["measured_on"],
            measured=tuple(_row_from_json(row) for row in values["measured"]),
            fitted=frozenset(values["fitted"]),
            predicted=tuple(_row_from_json(row) for row in values["predicted"]),
            # missing in files of earlier versions
            compiled=tuple(_row_from_json(row) for row in values.get("compiled", ())),
        )
    except FileNotFoundError:
        return Latencies()
    except (OSError, ValueError, KeyError, TypeError, LatencyError) as error:
        raise NasError(
            f"{file}: the measured latencies cannot be read ({error!r}); restore the file, or "
            "delete it and measure anew by --confirm"
        ) from None


def write_latencies(file: Path, latencies: Latencies) -> None:
    """Writes ``latencies`` to ``file`` in place of its old content."""
    values = {
        "measured_on": latencies.measured_on,
        "measured": [_row_to_json(row) for row in latencies.measured],
        "fitted": sorted(latencies.fitted),
        "predicted": [_row_to_json(row) for row in latencies.predicted],
        "compiled": [_row_to_json(row) for row in latencies.compiled],
    }
    write_json(file, values)


def _row_to_json(row: TrialLatency) -> dict[str, Any]:
    return {
        "trial": row.trial, "device": row.device, "latency": latency_to_json(row.latency),
    }  # fmt: skip


def _row_from_json(values: dict[str, Any]) -> TrialLatency:
    latency = latency_from_json(values["latency"])
    return TrialLatency(int(values["trial"]), str(values["device"]), latency)
