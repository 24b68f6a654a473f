"""The state of a search according to its records: best network, references and front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..quality.score import score_ratio
from ..studies.budget import Budget
from ..studies.lead import Lead
from ..studies.record import Result, TrialRecord, pareto_front


@dataclass(frozen=True)
class LeaderboardEntry:
    """A trained network; ``baseline`` is the name of a reference, else None."""

    trial: int
    baseline: str | None
    result: Result
    within_limit: bool = True

    def ratio_to(self, other: LeaderboardEntry) -> float:
        """Ratio of its score to that of ``other``."""
        return score_ratio(self.result.log2_score, other.result.log2_score)


@dataclass(frozen=True)
class Leaderboard:
    """The trained networks in the order of their trials; the front is fastest first."""

    candidates: tuple[LeaderboardEntry, ...]
    references: tuple[LeaderboardEntry, ...]
    front: tuple[LeaderboardEntry, ...]
    #: number of running or waiting trials of references
    references_to_come: int

    @classmethod
    def of(cls, records: Sequence[TrialRecord]) -> Leaderboard:
        """The leaderboard of all trials of a study."""
        entries = [
            LeaderboardEntry(r.number, r.baseline, r.result, r.within_limit)
            for r in records
            if r.result
        ]
        on_front = [record.number for record in pareto_front(list(records))]
        by_trial = {entry.trial: entry for entry in entries}
        return cls(
            candidates=tuple(entry for entry in entries if entry.baseline is None),
            references=tuple(entry for entry in entries if entry.baseline is not None),
            front=tuple(by_trial[number] for number in on_front),
            references_to_come=sum(
                record.baseline is not None and (record.waiting or record.running)
                for record in records
            ),
        )

    @property
    def best(self) -> LeaderboardEntry | None:
        """The candidate within the latency limit with the best score, None without one."""
        within = (entry for entry in self.candidates if entry.within_limit)
        return max(within, key=lambda entry: entry.result.log2_score, default=None)

    @property
    def lead(self) -> Lead | None:
        """Lead of the best candidate over ABPN; None until both are trained."""
        best, abpn = self.best, self.reference("ABPN")
        return Lead.of(best.result, abpn.result) if best and abpn else None

    def reference(self, name: str) -> LeaderboardEntry | None:
        """The reference of that name, None if it is not trained yet."""
        return next((entry for entry in self.references if entry.baseline == name), None)

    def done(self, budget: Budget, elapsed_seconds: float) -> float:
        """The used part of the budget, 0 to 1."""
        parts = [0.0]
        if budget.trials is not None:
            parts.append(len(self.candidates) / budget.trials)
        if budget.seconds is not None:
            parts.append(elapsed_seconds / budget.seconds)
        return min(1.0, max(parts))

    def seconds_left(self, budget: Budget, elapsed_seconds: float) -> float | None:
        """Estimated seconds until a part of the budget is used up; None if unknown.

        Trials are assumed to take the mean time of those trained so far, references included.
        """
        ends = []
        if budget.seconds is not None:
            ends.append(budget.seconds - elapsed_seconds)
        trained = len(self.candidates) + len(self.references)
        if budget.trials is not None and trained:
            to_train = budget.trials - len(self.candidates) + self.references_to_come
            ends.append(elapsed_seconds / trained * to_train)
        return max(0.0, min(ends)) if ends else None
