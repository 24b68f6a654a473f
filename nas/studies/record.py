"""Typed access to what a trial stores in its Optuna user attributes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from latency_models import Latency
from latency_models.latency_json import latency_from_json, latency_to_json
from search_spaces import Candidate

from ..choices import Risk
from ..quality.image_quality import ModelQuality
from ..quality.score import log2_score, scored_ms
from ..quality_model.expectation import ExpectedPsnr

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial, Trial

BASELINE_KEY = "baseline"
OUTCOME_KEY = "outcome"
REASON_KEY = "reason"
CANDIDATE_KEY = "candidate"
ARCHITECTURE_KEY = "architecture"
WORKER_KEY = "worker"
#: Seconds of the epoch. (Optuna's own times are local times of each machine, without a time zone.)
BEGUN_KEY, ENDED_KEY = "begun_at", "ended_at"
RETRY_OF_KEY = "retry_of"
ATTEMPT_KEY = "attempt"

Item = TypeVar("Item")


def is_baseline(trial: Trial | FrozenTrial) -> bool:
    """Returns whether the trial is a reference network instead of a candidate of the search.

    A reference trial has no parameters.
    """
    return BASELINE_KEY in trial.user_attrs


class Outcome(StrEnum):
    """How a trial ended; a trial that ended without an outcome was interrupted and is run again."""

    TRAINED = "trained"
    INFEASIBLE = "infeasible"
    PRUNED_BY_LATENCY = "too slow to win"
    DUPLICATE = "duplicate"
    OVER_BUDGET = "does not fit the budget"
    FAILED = "failed"


@dataclass(frozen=True)
class Result:
    """All measurements of one trained network, and its expected PSNR after a full training."""

    quality: ModelQuality
    #: Expected PSNR after a full training, which the search optimizes.
    expected: ExpectedPsnr
    latency: Latency
    macs: int
    parameters: int
    tflite_kb: float
    seed: int
    #: The study's setting: which value of a predicted latency the score uses.
    risk: Risk
    #: Seconds by stage: latency, training, gradient (part of training), conversion, quality, total.
    seconds: dict[str, float]

    # Cached, because each proposal reads these values of hundreds of results.
    @cached_property
    def psnr_db(self) -> float:
        """PSNR of the INT8 file in dB, after the study's short training."""
        return self.quality.psnr_db

    @property
    def drop_db(self) -> float:
        """PSNR lost by INT8 quantization in dB; positive for a loss."""
        return self.quality.drop_db

    @cached_property
    def scored_ms(self) -> float:
        """The latency in ms that the score, the Pareto front and the objective use."""
        return scored_ms(self.latency, self.risk)

    @cached_property
    def log2_score(self) -> float:
        """Binary logarithm of the challenge's score expected after a full training."""
        return log2_score(self.expected.psnr_db, self.scored_ms)

    def to_attributes(self) -> dict[str, Any]:
        """Returns JSON values by attribute name, which Optuna's dashboard can show."""
        names = [field.name for field in fields(self) if field.name != "quality"]
        return {
            **{name: getattr(self, name) for name in names},
            **self.quality.to_json(),
            "expected_psnr_db": self.expected.psnr_db,
            "expected": vars(self.expected),
            "runtime_ms": self.latency.ms,
            "latency": latency_to_json(self.latency),
        }

    @classmethod
    def from_attributes(cls, attributes: dict[str, Any]) -> Result:
        """Reads the attributes that ``to_attributes`` returned."""
        names = ("macs", "parameters", "tflite_kb", "seed", "seconds")
        return cls(
            quality=ModelQuality.from_json(attributes),
            expected=ExpectedPsnr(**attributes["expected"]),
            latency=latency_from_json(attributes["latency"]),
            # trials of earlier versions lack it; their scores used the predicted latency itself
            risk=Risk(attributes.get("risk", Risk.POINT)),
            **{name: attributes[name] for name in names},
        )


@dataclass(frozen=True)
class TrialRecord:
    """One trial of a study, with what it has stored so far."""

    number: int
    running: bool
    waiting: bool
    complete: bool
    #: Name of the network of a reference trial; None for a candidate.
    baseline: str | None
    outcome: Outcome | None
    reason: str
    candidate: str | None
    architecture: dict[str, Any] | None
    result: Result | None
    #: Device of its latency if that is not the study's device (see ``latencies``).
    timed_on: str | None = None
    #: Whether its latency, as now known, is within the study's limit.
    within_limit: bool = True
    #: Start and end time in seconds of the epoch; None if it has not started or ended, or if that
    #: was not recorded.
    begun: float | None = None
    ended: float | None = None

    @classmethod
    def of(cls, trial: FrozenTrial) -> TrialRecord:
        """Reads the record of ``trial``."""
        from optuna.trial import TrialState

        attributes = trial.user_attrs
        outcome = attributes.get(OUTCOME_KEY)
        begun, ended = _times_of(trial)
        return cls(
            begun=begun,
            ended=ended,
            number=trial.number,
            running=trial.state is TrialState.RUNNING,
            waiting=trial.state is TrialState.WAITING,
            complete=trial.state is TrialState.COMPLETE,
            baseline=attributes.get(BASELINE_KEY),
            outcome=Outcome(outcome) if outcome else None,
            reason=attributes.get(REASON_KEY, ""),
            candidate=attributes.get(CANDIDATE_KEY),
            architecture=attributes.get(ARCHITECTURE_KEY),
            result=Result.from_attributes(attributes)
            if trial.state is TrialState.COMPLETE
            else None,
        )

    def timed(self, latency: Latency, device: str) -> TrialRecord:
        """Returns a copy with another ``latency`` on ``device``; unchanged without a result."""
        if self.result is None:
            return self
        return replace(self, result=replace(self.result, latency=latency), timed_on=device)

    def expecting(self, expected: ExpectedPsnr) -> TrialRecord:
        """Returns a copy with another expected PSNR; unchanged without a result."""
        if self.result is None:
            return self
        return replace(self, result=replace(self.result, expected=expected))

    def held_to(self, limit_ms: float | None) -> TrialRecord:
        """Returns a copy marked as over the limit if its latency, as now known, exceeds it."""
        if limit_ms is None or self.result is None:
            return self
        latency = self.result.latency
        if latency.promised_ms <= limit_ms:
            return self
        reason = f"{latency.text} is over the limit of {limit_ms:g} ms"
        return replace(self, within_limit=False, reason=reason)

    @cached_property
    def network(self) -> Candidate:
        """The sampled network; raises GraphError if the trial ended before it had one."""
        return Candidate.from_json(self.architecture)

    @property
    def has_ended(self) -> bool:
        """Whether the trial ended with an outcome; an interrupted trial did not.

        An interrupted trial is run again under another number.
        """
        return self.complete or self.outcome not in (None, Outcome.TRAINED)

    @property
    def is_trained_candidate(self) -> bool:
        """Whether this is a complete trial of a candidate, not of a reference network."""
        return self.complete and self.baseline is None


def _times_of(trial: FrozenTrial) -> tuple[float | None, float | None]:
    """Returns the trial's start and end times, as its worker recorded them.

    For trials of earlier versions, which recorded none, it returns Optuna's times once the trial
    has ended. They are right if all machines have the same time zone.
    """
    attributes = trial.user_attrs
    if BEGUN_KEY in attributes:
        return attributes[BEGUN_KEY], attributes.get(ENDED_KEY)
    if trial.datetime_start is None or trial.datetime_complete is None:
        return None, None
    return trial.datetime_start.timestamp(), trial.datetime_complete.timestamp()


def pareto_front(records: list[TrialRecord]) -> list[TrialRecord]:
    """Returns the trained candidates within the limit that no other dominates, fastest first.

    Candidates are compared in expected PSNR and in the latency that the score uses. The candidate
    with the best score is therefore among them.
    """
    found = [
        (r, r.result) for r in records if r.is_trained_candidate and r.within_limit and r.result
    ]
    front = undominated(found, lambda pair: (pair[1].scored_ms, pair[1].expected.psnr_db))
    return [record for record, _ in front]


def undominated(
    items: Iterable[Item], figures: Callable[[Item], tuple[float, float]]
) -> list[Item]:
    """Returns the items that no other item dominates, fastest first.

    ``figures`` returns an item's time and PSNR; less time and more PSNR are better.
    """
    front: list[Item] = []
    best_db = float("-inf")
    timed = [(*figures(item), item) for item in items]
    for _, psnr_db, item in sorted(timed, key=lambda row: (row[0], -row[1])):
        if psnr_db > best_db:
            best_db = psnr_db
            front.append(item)
    return front


def reference_result(records: Iterable[TrialRecord], name: str) -> Result | None:
    """Returns the result of the reference network ``name``; None until it is trained."""
    return next((r.result for r in records if r.baseline == name and r.result), None)
