"""Is a search done, stuck, or free to begin another trial: decided from its records alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..studies.budget import Budget
from ..studies.record import Outcome, TrialRecord

#: Where a search ends of itself: something is wrong that more trials will not mend.
MAX_FAILURES_IN_A_ROW = 20
MAX_SAMPLES_WITHOUT_NEWS = 200
MAX_UNFIT_IN_A_ROW = 15


_BARREN = {Outcome.DUPLICATE, Outcome.INFEASIBLE, Outcome.HOPELESS, Outcome.FAILED}


@dataclass(frozen=True)
class Pace:
    """A search's budget against what it has done so far."""

    budget: Budget
    records: Sequence[TrialRecord]
    elapsed_seconds: float

    @property
    def trained(self) -> int:
        """Trials that count towards the budget."""
        return sum(record.is_finding for record in self.records)

    def reason_to_end(self) -> str | None:
        """Why no further trial should begin; None to go on."""
        if self.budget.trials is not None and self.trained >= self.budget.trials:
            return f"budget reached: {self.trained} trained trials"
        if self.budget.seconds is not None and self.elapsed_seconds >= self.budget.seconds:
            return f"budget reached: {self.budget}"
        failed = self._in_a_row({Outcome.FAILED})
        if failed >= MAX_FAILURES_IN_A_ROW:
            last = next(r for r in reversed(self.records) if r.outcome is Outcome.FAILED)
            return f"{failed} failures in a row, the last: {last.reason}"
        barren = self._in_a_row(_BARREN)
        if barren >= MAX_SAMPLES_WITHOUT_NEWS:
            return f"{barren} samples in a row gave no new candidate to train"
        if self._in_a_row({Outcome.UNFIT}) >= MAX_UNFIT_IN_A_ROW:
            return f"no candidate fits what is left of {self.budget}"
        return None

    def awaits_baseline(self) -> bool:
        """Is a reference trial queued, and time left for it?"""
        in_time = self.budget.seconds is None or self.elapsed_seconds < self.budget.seconds
        return in_time and any(record.waiting and record.baseline for record in self.records)

    def must_wait(self) -> bool:
        """Would the trials that other workers have in hand use up a budget of trials?"""
        return self.budget.trials is not None and self._claimed() >= self.budget.trials

    def refusal(self, number: int, macs: int) -> str | None:
        """Why trial ``number``, of a network of ``macs``, should not be trained, if so."""
        if self.budget.trials is not None and self._claimed(number) >= self.budget.trials:
            return "the trials of other workers use up the budget"
        if self.budget.seconds is not None:
            expected = expected_seconds(self.records, macs)
            if expected > self.budget.seconds - self.elapsed_seconds:
                return f"its {expected:.0f} s would not fit into {self.budget}"
        return None

    def _claimed(self, before: float = float("inf")) -> int:
        """Trained candidates, and those in hand that were begun before trial number ``before``."""
        return self.trained + sum(
            record.running and record.baseline is None and record.number < before
            for record in self.records
        )

    def _in_a_row(self, outcomes: set[Outcome]) -> int:
        count = 0
        for record in reversed(self.records):
            if record.outcome in outcomes:
                count += 1
            elif record.outcome is Outcome.TRAINED:
                break
        return count


def expected_seconds(records: Sequence[TrialRecord], macs: int) -> float:
    """Time of a trial of ``macs``, from a line through those that are done; 0 if none is."""
    done = [(r.result.macs, r.result.seconds["total"]) for r in records if r.result]
    if not done:
        return 0.0
    x, y = (np.array(column, float) for column in zip(*done, strict=True))
    spread = float(np.var(x))
    slope = max(0.0, float(np.mean((x - x.mean()) * (y - y.mean()))) / spread) if spread else 0.0
    return float(max(0.0, y.mean() + slope * (macs - x.mean())))
