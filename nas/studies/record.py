"""What a trial remembers: Optuna keeps it as user attributes, this module gives it types."""

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
#: seconds of the epoch: Optuna's own times are those of each machine's clock on the wall
BEGUN_KEY, ENDED_KEY = "begun_at", "ended_at"
RETRY_OF_KEY = "retry_of"
ATTEMPT_KEY = "attempt"

Item = TypeVar("Item")


def is_baseline(trial: Trial | FrozenTrial) -> bool:
    """Is it a reference and no candidate? It has no parameters."""
    return BASELINE_KEY in trial.user_attrs


class Outcome(StrEnum):
    """How a trial ended; a trial without one was interrupted, and is run again."""

    TRAINED = "trained"
    INFEASIBLE = "infeasible"
    PRUNED_BY_LATENCY = "too slow to win"
    DUPLICATE = "duplicate"
    OVER_BUDGET = "does not fit the budget"
    FAILED = "failed"


@dataclass(frozen=True)
class Result:
    """Everything measured of one trained candidate, and what is expected of it."""

    quality: ModelQuality
    #: after a full training: what the search goes by
    expected: ExpectedPsnr
    latency: Latency
    macs: int
    parameters: int
    tflite_kb: float
    seed: int
    #: of the study: what of a predicted latency the score counts
    risk: Risk
    #: seconds by stage: latency, training, gradient (part of training), conversion, quality, total
    seconds: dict[str, float]

    # Proposals read these three of hundreds of results each.
    @cached_property
    def psnr_db(self) -> float:
        """Of the INT8 file, after the study's short training."""
        return self.quality.psnr_db

    @property
    def drop_db(self) -> float:
        """What INT8 cost, positive for a loss."""
        return self.quality.drop_db

    @cached_property
    def scored_ms(self) -> float:
        """The time that counts: that of the score, of the front, and of an objective."""
        return scored_ms(self.latency, self.risk)

    @cached_property
    def log2_score(self) -> float:
        """Binary logarithm of the challenge's score, as a full training would have it."""
        return log2_score(self.expected.psnr_db, self.scored_ms)

    def to_attributes(self) -> dict[str, Any]:
        """Plain values, each under a name of its own, as the dashboard shows them."""
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
        """The result that ``to_attributes`` described."""
        names = ("macs", "parameters", "tflite_kb", "seed", "seconds")
        return cls(
            quality=ModelQuality.from_json(attributes),
            expected=ExpectedPsnr(**attributes["expected"]),
            latency=latency_from_json(attributes["latency"]),
            # earlier versions knew nothing else
            risk=Risk(attributes.get("risk", Risk.POINT)),
            **{name: attributes[name] for name in names},
        )


@dataclass(frozen=True)
class TrialRecord:
    """One trial of a study, as far as it went."""

    number: int
    running: bool
    waiting: bool
    complete: bool
    #: name of the zoo network, for a reference trial
    baseline: str | None
    outcome: Outcome | None
    reason: str
    candidate: str | None
    architecture: dict[str, Any] | None
    result: Result | None
    #: the device that its latency is of, where that is not the study's (see ``latencies``)
    timed_on: str | None = None
    #: is its latency, as it is known now, within the study's limit?
    within_limit: bool = True
    #: when it was begun and ended, seconds of the epoch; None: not yet, or it never was
    begun: float | None = None
    ended: float | None = None

    @classmethod
    def of(cls, trial: FrozenTrial) -> TrialRecord:
        """What ``trial`` remembers."""
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
        """The same trial with a truer latency, from ``device``; what was not trained has none."""
        if self.result is None:
            return self
        return replace(self, result=replace(self.result, latency=latency), timed_on=device)

    def expecting(self, expected: ExpectedPsnr) -> TrialRecord:
        """The same trial, of which something else is expected by now."""
        if self.result is None:
            return self
        return replace(self, result=replace(self.result, expected=expected))

    def held_to(self, limit_ms: float | None) -> TrialRecord:
        """The same trial; where it is slower than ``limit_ms`` by now, its reason says so."""
        if limit_ms is None or self.result is None:
            return self
        latency = self.result.latency
        if latency.promised_ms <= limit_ms:
            return self
        reason = f"{latency.text} is over the limit of {limit_ms:g} ms"
        return replace(self, within_limit=False, reason=reason)

    @cached_property
    def network(self) -> Candidate:
        """The sampled architecture; GraphError if the trial never got that far."""
        return Candidate.from_json(self.architecture)

    @property
    def has_ended(self) -> bool:
        """With an outcome; one that was interrupted ends when it is run again, as another trial."""
        return self.complete or self.outcome not in (None, Outcome.TRAINED)

    @property
    def is_trained_candidate(self) -> bool:
        """Trained by the search, not put in as a reference."""
        return self.complete and self.baseline is None


def _times_of(trial: FrozenTrial) -> tuple[float | None, float | None]:
    """When it was begun and ended, as its worker wrote it down.

    Studies of earlier versions know Optuna's times alone, and those of one machine are right.
    """
    attributes = trial.user_attrs
    if BEGUN_KEY in attributes:
        return attributes[BEGUN_KEY], attributes.get(ENDED_KEY)
    if trial.datetime_start is None or trial.datetime_complete is None:
        return None, None
    return trial.datetime_start.timestamp(), trial.datetime_complete.timestamp()


def pareto_front(records: list[TrialRecord]) -> list[TrialRecord]:
    """Findings within the limit that no other beats in expected PSNR and time, fastest first.

    Time is the one that the score counts, so that the best score is among them.
    """
    found = [
        (r, r.result) for r in records if r.is_trained_candidate and r.within_limit and r.result
    ]
    front = undominated(found, lambda pair: (pair[1].scored_ms, pair[1].expected.psnr_db))
    return [record for record, _ in front]


def undominated(
    items: Iterable[Item], figures: Callable[[Item], tuple[float, float]]
) -> list[Item]:
    """Items that no other beats in both of their ``figures``, time and PSNR; the fastest first."""
    front: list[Item] = []
    best_db = float("-inf")
    timed = [(*figures(item), item) for item in items]
    for _, psnr_db, item in sorted(timed, key=lambda row: (row[0], -row[1])):
        if psnr_db > best_db:
            best_db = psnr_db
            front.append(item)
    return front


def reference_result(records: Iterable[TrialRecord], name: str) -> Result | None:
    """The result of the reference of that name; None until it is trained."""
    return next((r.result for r in records if r.baseline == name and r.result), None)
