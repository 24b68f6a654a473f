"""The progress of a study: counts, times, and the best network so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .budget import Budget, format_seconds
from .expected_front import ExpectedFront
from .record import Outcome, TrialRecord
from .results import findings
from .study import Study


@dataclass(frozen=True)
class StudyStatus:
    """A summary of a study's progress."""

    name: str
    budget: Budget
    elapsed_seconds: float
    records: tuple[TrialRecord, ...]
    best_ratio: float | None
    best_trial: int | None
    #: The Pareto front predicted before any training.
    expected_front: ExpectedFront | None = None

    @property
    def trained(self) -> int:
        """Number of trained candidates, without the reference trials."""
        return sum(record.is_trained_candidate for record in self.records)

    def to_json(self) -> dict[str, Any]:
        """Returns counts, times, and an object for each trial, as JSON values."""
        return {
            "study": self.name,
            "budget": {"trials": self.budget.trials, "seconds": self.budget.seconds},
            "elapsed_seconds": self.elapsed_seconds,
            "trained": self.trained,
            "running": sum(record.running for record in self.records),
            "waiting": sum(record.waiting for record in self.records),
            "outcomes": self._counts(),
            "best_trial": self.best_trial,
            "best_score_to_abpn": self.best_ratio,
            "expected_front": self.expected_front.to_json() if self.expected_front else None,
            "trials": [
                {
                    "trial": record.number,
                    "baseline": record.baseline,
                    "outcome": _outcome_name(record),
                    "reason": record.reason,
                    "candidate": record.candidate,
                    "psnr_db": record.result.psnr_db if record.result else None,
                    "expected_psnr_db": (record.result.expected.psnr_db if record.result else None),
                    "runtime_ms": record.result.latency.ms if record.result else None,
                }
                for record in self.records
            ],
        }

    def lines(self) -> list[str]:
        """Returns lines of text for display."""
        counts = ", ".join(f"{count} {name}" for name, count in self._counts().items())
        lines = [
            f"study {self.name}: {self.trained} trained trials in "
            f"{format_seconds(self.elapsed_seconds)}, budget {self.budget}",
            f"trials: {counts or 'none'}",
        ]
        if self.best_trial is not None:
            ratio = "" if self.best_ratio is None else f", {self.best_ratio:.2f} x ABPN's score"
            lines.append(f"best: trial {self.best_trial}{ratio}")
        elif self.expected_front is not None:
            lines.append(self.expected_front.text)
        lines += [
            f"trial {record.number}: {_outcome_name(record)}: {record.reason}"
            for record in self.records
            if record.outcome is Outcome.FAILED or not record.within_limit
        ]
        return lines

    def _counts(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for record in self.records:
            name = _outcome_name(record)
            counts[name] = counts.get(name, 0) + 1
        return counts


def _outcome_name(record: TrialRecord) -> str:
    """Returns the word by which the status names the state or outcome of a trial."""
    if record.running:
        return "running"
    if record.waiting:
        return "waiting"
    if record.complete and record.baseline:
        return "baseline"
    if record.has_ended:
        return str(record.outcome)
    return "interrupted"


def summarize(study: Study) -> StudyStatus:
    """Returns the current progress of ``study``."""
    best = next(iter(findings(study)), None)
    return StudyStatus(
        name=study.name,
        budget=study.budget(),
        elapsed_seconds=study.elapsed_seconds(),
        records=tuple(study.records()),
        best_ratio=best.ratio_to_abpn if best else None,
        best_trial=best.trial if best else None,
        expected_front=study.expected_front(),
    )
