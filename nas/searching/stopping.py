"""When a search ends, waits, or begins another trial: decided from values alone."""

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

#: Where a run ends of itself: something is wrong that more trials will not mend.
MAX_FAILURES_IN_A_ROW = 20
MAX_SAMPLES_WITHOUT_NEWS = 200
MAX_OVER_BUDGET_IN_A_ROW = 5

_NO_NEWS = frozenset(
    {Outcome.DUPLICATE, Outcome.INFEASIBLE, Outcome.PRUNED_BY_LATENCY, Outcome.FAILED}
)


@dataclass(frozen=True)
class Run:
    """One run of a search: the trials made since it began, whichever worker made them.

    What earlier runs met with may be mended by now and ends no later one. Trials are numbered in
    their database, so that no two machines' clocks are compared.
    """

    #: number of the first trial that was not there when the run began
    first: int

    @classmethod
    def beginning(cls, records: Sequence[TrialRecord]) -> Self:
        """A run that begins now, in a study with ``records``."""
        return cls(max((record.number for record in records), default=-1) + 1)

    def holds(self, trial: int) -> bool:
        """Was the trial of that number made in this run?"""
        return trial >= self.first


@dataclass(frozen=True)
class SearchState:
    """All that decides what a search does next."""

    #: of the whole study
    budget: Budget
    #: of the whole study, by number
    records: Sequence[TrialRecord]
    run: Run
    #: of the whole study
    elapsed_seconds: float
    #: multiply-accumulates of the smallest network that the space may be expected to give
    smallest_macs: int = 0

    @cached_property
    def trained(self) -> int:
        """Trials that count towards the budget."""
        return sum(record.is_trained_candidate for record in self.records)

    @property
    def seconds_left(self) -> float:
        """Of the budget; infinite if it knows no time."""
        if self.budget.seconds is None:
            return float("inf")
        return self.budget.seconds - self.elapsed_seconds

    def reason_to_stop(self) -> str | None:
        """Why no further trial should begin; None to go on."""
        return self._used_up() or self._gets_nowhere()

    def _used_up(self) -> str | None:
        """Of the budget, nothing is left that would do for a network."""
        if self.budget.trials is not None and self.trained >= self.budget.trials:
            return f"budget reached: {self.trained} trained trials"
        if self.seconds_left <= 0:
            return f"budget reached: {self.budget}"
        if self._trial_seconds.of_macs(self.smallest_macs) > self.seconds_left:
            return f"not even the smallest networks fit into the {self._time_left}"
        return None

    def _gets_nowhere(self) -> str | None:
        """The trials of this run end one after another without a result."""
        failed = self._in_a_row(frozenset({Outcome.FAILED}))
        if len(failed) >= MAX_FAILURES_IN_A_ROW:
            return f"{len(failed)} failures in a row, the last: {failed[0].reason}"
        without_news = self._in_a_row(_NO_NEWS)
        if len(without_news) >= MAX_SAMPLES_WITHOUT_NEWS:
            return (
                f"{len(without_news)} samples in a row gave no new candidate to train: "
                f"{_counted(without_news)}, the last: {without_news[0].reason}"
            )
        over_budget = self._in_a_row(frozenset({Outcome.OVER_BUDGET}))
        if self.budget.seconds is not None and len(over_budget) >= MAX_OVER_BUDGET_IN_A_ROW:
            return f"{len(over_budget)} networks in a row do not fit into the {self._time_left}"
        return None

    def awaits_baseline(self) -> bool:
        """Is a reference trial queued, and time left for it?"""
        queued = any(record.waiting and record.baseline for record in self.records)
        return queued and self.seconds_left > 0

    def must_wait(self) -> bool:
        """Would the trials that other workers have in hand use up a budget of trials?"""
        return self.budget.trials is not None and self._claimed() >= self.budget.trials

    def refusal(self, number: int, macs: int) -> str | None:
        """Why trial ``number``, of a network of ``macs``, should not be trained, if so."""
        if self.budget.trials is not None and self._claimed(number) >= self.budget.trials:
            return "the trials of other workers use up the budget"
        expected = self._trial_seconds.of_macs(macs)
        if expected > self.seconds_left:
            return f"about {format_seconds(expected)} do not fit into the {self._time_left}"
        return None

    @property
    def _time_left(self) -> str:
        total = format_seconds(self.budget.seconds or 0)
        return f"{format_seconds(max(0.0, self.seconds_left))} left of {total}"

    def _claimed(self, before: float = float("inf")) -> int:
        """Trained candidates, and those in hand that were begun before trial number ``before``."""
        return self.trained + sum(number < before for number in self._in_hand)

    @cached_property
    def _in_hand(self) -> tuple[int, ...]:
        """Numbers of the candidates that somebody trains."""
        return tuple(r.number for r in self.records if r.running and r.baseline is None)

    @cached_property
    def _trial_seconds(self) -> TrialSeconds:
        return TrialSeconds.of(self.records)

    def _in_a_row(self, outcomes: frozenset[Outcome]) -> list[TrialRecord]:
        """The trials of this run that ended last, latest first, while all ended as ``outcomes``."""
        ended = (r for r in reversed(self.records) if r.has_ended and self.run.holds(r.number))
        return list(itertools.takewhile(lambda record: record.outcome in outcomes, ended))


def _counted(records: Sequence[TrialRecord]) -> str:
    counts = Counter(record.outcome for record in records)
    return ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common())


@dataclass(frozen=True)
class TrialSeconds:
    """Time of a trial by its network's multiply-accumulates: a line through what is done."""

    mean_macs: float = 0.0
    mean: float = 0.0
    #: for each multiply-accumulate
    slope: float = 0.0

    @classmethod
    def of(cls, records: Sequence[TrialRecord]) -> Self:
        """0 for all networks if none is done."""
        done = [(r.result.macs, r.result.seconds["total"]) for r in records if r.result]
        if not done:
            return cls()
        x, y = (np.array(column, float) for column in zip(*done, strict=True))
        mean_macs, mean, spread = float(x.mean()), float(y.mean()), float(np.var(x))
        slope = float(np.mean((x - mean_macs) * (y - mean))) / spread if spread else 0.0
        return cls(mean_macs, mean, max(0.0, slope))

    def of_macs(self, macs: int) -> float:
        """Expected of a network of so many."""
        return max(0.0, self.mean + self.slope * (macs - self.mean_macs))
