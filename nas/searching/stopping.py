"""Decides from plain values whether a search ends, waits, or begins another trial."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from ..studies.budget import Budget, format_seconds
from ..studies.record import Outcome, TrialRecord

#: Numbers of trials in a row without a result at which a run ends, since more would not help.
MAX_FAILURES_IN_A_ROW = 20
MAX_SAMPLES_WITHOUT_CANDIDATE = 200
MAX_OVER_BUDGET_IN_A_ROW = 5

_NO_NEW_CANDIDATE = frozenset(
    {Outcome.DUPLICATE, Outcome.INFEASIBLE, Outcome.PRUNED_BY_LATENCY, Outcome.FAILED}
)


@dataclass(frozen=True)
class Run:
    """One run of a search: the trials made since it began, whichever worker made them.

    Failures in earlier runs do not end a later one, since their cause may be gone. A run begins at
    a trial number rather than at a time, so that the clocks of different machines do not matter.
    """

    #: number of the first trial that was created after the run began
    first: int

    @classmethod
    def beginning(cls, records: Sequence[TrialRecord]) -> Self:
        """Returns a run that begins now, in a study with ``records``."""
        return cls(max((record.number for record in records), default=-1) + 1)

    def contains(self, trial: int) -> bool:
        """Returns whether the trial of that number was created in this run."""
        return trial >= self.first


@dataclass(frozen=True)
class SearchState:
    """The values that decide what a search does next."""

    #: of the whole study
    budget: Budget
    #: of the whole study, by number
    records: Sequence[TrialRecord]
    run: Run
    #: of the whole study
    elapsed_seconds: float
    #: multiply-accumulates of about the smallest networks of the space
    smallest_macs: int = 0

    @cached_property
    def trained(self) -> int:
        """Number of trials that count towards the budget."""
        return sum(record.is_trained_candidate for record in self.records)

    @property
    def seconds_left(self) -> float:
        """Seconds left of the budget; infinite if it has no time limit."""
        if self.budget.seconds is None:
            return float("inf")
        return self.budget.seconds - self.elapsed_seconds

    def reason_to_stop(self) -> str | None:
        """Returns why no further trial should begin; None to go on."""
        return self._budget_reason() or self._no_result_reason()

    def _budget_reason(self) -> str | None:
        """Returns a reason to stop if the rest of the budget is too small for any network."""
        if self.budget.trials is not None and self.trained >= self.budget.trials:
            return f"budget reached: {self.trained} trained trials"
        if self.seconds_left <= 0:
            return f"budget reached: {self.budget}"
        if self._trial_seconds.of_macs(self.smallest_macs) > self.seconds_left:
            return f"not even the smallest networks fit into the {self._time_left}"
        return None

    def _no_result_reason(self) -> str | None:
        """Returns a reason to stop if too many trials of this run in a row had no result."""
        failed = self._latest_in_a_row(frozenset({Outcome.FAILED}))
        if len(failed) >= MAX_FAILURES_IN_A_ROW:
            return f"{len(failed)} failures in a row, the last: {failed[0].reason}"
        without_candidate = self._latest_in_a_row(_NO_NEW_CANDIDATE)
        if len(without_candidate) >= MAX_SAMPLES_WITHOUT_CANDIDATE:
            return (
                f"{len(without_candidate)} samples in a row gave no new candidate to train: "
                f"{_outcome_counts(without_candidate)}, the last: {without_candidate[0].reason}"
            )
        over_budget = self._latest_in_a_row(frozenset({Outcome.OVER_BUDGET}))
        if self.budget.seconds is not None and len(over_budget) >= MAX_OVER_BUDGET_IN_A_ROW:
            return f"{len(over_budget)} networks in a row do not fit into the {self._time_left}"
        return None

    def awaits_baseline(self) -> bool:
        """Returns whether a reference trial is queued and time is left for it."""
        queued = any(record.waiting and record.baseline for record in self.records)
        return queued and self.seconds_left > 0

    def must_wait(self) -> bool:
        """Returns whether the trials now running on other workers exhaust the trial budget."""
        return self.budget.trials is not None and self._occupied_trials() >= self.budget.trials

    def refusal(self, number: int, macs: int) -> str | None:
        """Returns why trial ``number``, with a network of ``macs``, does not fit the budget.

        Returns None if it fits.
        """
        if self.budget.trials is not None and self._occupied_trials(number) >= self.budget.trials:
            return "the trials of other workers use up the budget"
        expected = self._trial_seconds.of_macs(macs)
        if expected > self.seconds_left:
            return f"about {format_seconds(expected)} do not fit into the {self._time_left}"
        return None

    @property
    def _time_left(self) -> str:
        total = format_seconds(self.budget.seconds or 0)
        return f"{format_seconds(max(0.0, self.seconds_left))} left of {total}"

    def _occupied_trials(self, before: float = float("inf")) -> int:
        """Counts trained candidates, and running ones with a trial number below ``before``."""
        return self.trained + sum(number < before for number in self._running_candidates)

    @cached_property
    def _running_candidates(self) -> tuple[int, ...]:
        """Trial numbers of the candidates that are running on any worker."""
        return tuple(r.number for r in self.records if r.running and r.baseline is None)

    @cached_property
    def _trial_seconds(self) -> TrialSeconds:
        return TrialSeconds.of(self.records)

    def _latest_in_a_row(self, outcomes: frozenset[Outcome]) -> list[TrialRecord]:
        """Returns the run's latest ended trials, latest first, up to one of another outcome."""
        ended = (r for r in reversed(self.records) if r.has_ended and self.run.contains(r.number))
        return list(itertools.takewhile(lambda record: record.outcome in outcomes, ended))


def _outcome_counts(records: Sequence[TrialRecord]) -> str:
    counts = Counter(record.outcome for record in records)
    return ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common())


@dataclass(frozen=True)
class TrialSeconds:
    """Linear model of a trial's duration over the MACs of its network, fitted to past trials."""

    mean_macs: float = 0.0
    #: mean duration in seconds
    mean: float = 0.0
    #: seconds for each multiply-accumulate
    slope: float = 0.0

    @classmethod
    def of(cls, records: Sequence[TrialRecord]) -> Self:
        """Fits the model to the trained trials; without any, all durations are 0."""
        done = [(r.result.macs, r.result.seconds["total"]) for r in records if r.result]
        if not done:
            return cls()
        x, y = (np.array(column, float) for column in zip(*done, strict=True))
        mean_macs, mean, spread = float(x.mean()), float(y.mean()), float(np.var(x))
        slope = float(np.mean((x - mean_macs) * (y - mean))) / spread if spread else 0.0
        return cls(mean_macs, mean, max(0.0, slope))

    def of_macs(self, macs: int) -> float:
        """Returns the expected seconds of a trial whose network has ``macs``."""
        return max(0.0, self.mean + self.slope * (macs - self.mean_macs))
