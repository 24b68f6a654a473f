"""Why a network is not trained, or does not count: functions of values, None where it may go on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from latency_models import Latency, NeverTaken
from search_spaces import Graph
from search_spaces.graph.capacity import IMAGE_VALUES, has_gaps, values_per_pixel

from ..choices import Risk
from ..quality.score import log2_score, scored_ms
from ..studies.record import Outcome, Result, TrialRecord
from .stopping import SearchState

#: How far above every network trained so far a candidate is given credit for. No network of the
#: challenges of 2021 and 2022 was more than 0.25 dB above ABPN (arXiv:2105.07825, 2211.05910).
CREDIT_DB = 0.5
#: What the same network would meet with again.
_SETTLED = (Outcome.TRAINED, Outcome.INFEASIBLE, Outcome.PRUNED_BY_LATENCY)
#: To the sampler, a trial that ends so is worse than all that were trained.
_PRUNED = (Outcome.INFEASIBLE, Outcome.PRUNED_BY_LATENCY)


@dataclass(frozen=True)
class Constraint:
    """For the sampler: by how much a trial violates a condition; 0 or less: it keeps it."""

    name: str
    excess: float


@dataclass(frozen=True)
class Ended:
    """A trial that gives no value: how it ended, and why."""

    outcome: Outcome
    reason: str
    constraints: tuple[Constraint, ...] = ()
    #: of the network before training, where it was timed by then
    latency: Latency | None = None

    def __post_init__(self) -> None:
        if self.outcome is Outcome.TRAINED or not self.reason:
            raise ValueError(f"a trial without a value: {self.outcome}, reason {self.reason!r}")

    @property
    def is_pruned(self) -> bool:
        """Is the sampler to learn from it? It forgets the others."""
        return self.outcome in _PRUNED


def duplicate(number: int, candidate: str, search: SearchState) -> Ended | None:
    """Another trial has, or is about to have, a result for the network of that hash.

    What failed in an earlier run may do now: the board is back, the disk has room.
    """
    other = next(
        (r for r in search.records if r.candidate == candidate and _precedes(r, number, search)),
        None,
    )
    if other is None:
        return None
    return Ended(Outcome.DUPLICATE, f"the same network as trial {other.number}")


def _precedes(other: TrialRecord, number: int, search: SearchState) -> bool:
    if other.baseline or other.number == number:
        return False
    ahead = other.running and other.number < number
    failed = other.outcome is Outcome.FAILED and search.run.holds(other.number)
    settled = other.has_ended and other.outcome in _SETTLED
    return ahead or failed or settled


def bottleneck(graph: Graph) -> Ended | None:
    """A network that cannot even pass on the image ends below plain enlargement."""
    values = values_per_pixel(graph)
    if values >= IMAGE_VALUES:
        return None
    return Ended(
        Outcome.INFEASIBLE,
        f"only {values:g} of the image's {IMAGE_VALUES} values a pixel get through it",
        (Constraint("image_values", IMAGE_VALUES - values),),
    )


def gaps(graph: Graph) -> Ended | None:
    """A network whose image has holes ends far below plain enlargement."""
    if not has_gaps(graph):
        return None
    return Ended(
        Outcome.INFEASIBLE,
        "some pixels of its output depend on no pixel of the image",
        (Constraint("gaps", 1.0),),
    )


def over_budget(number: int, macs: int, search: SearchState) -> Ended | None:
    """The trials in hand, or the time left, leave no room for a network of ``macs``."""
    reason = search.refusal(number, macs)
    return None if reason is None else Ended(Outcome.OVER_BUDGET, reason)


def never_taken(error: NeverTaken) -> Ended:
    """The device never takes it: some of its operators, or what it needs of memory."""
    constraint = Constraint(error.constraint, error.excess)
    return Ended(Outcome.INFEASIBLE, str(error), (constraint,))


def latency_constraints(latency: Latency, limit_ms: float | None) -> tuple[Constraint, ...]:
    """How far over the study's limit, if it has one."""
    if limit_ms is None:
        return ()
    return (Constraint("max_latency_ms", excess_ms(latency, limit_ms)),)


def over_limit(latency: Latency, limit_ms: float | None) -> Ended | None:
    """It is, or may be, slower than the study allows."""
    if limit_ms is None or excess_ms(latency, limit_ms) <= 0:
        return None
    took = (
        f"up to {latency.high_ms:.2f} ms ({latency.ms:.2f} predicted)"
        if latency.is_predicted
        else f"{latency.ms:.2f} ms"
    )
    reason = f"{took} is over the limit of {limit_ms:g} ms"
    return Ended(Outcome.INFEASIBLE, reason, latency_constraints(latency, limit_ms))


def excess_ms(latency: Latency, limit_ms: float) -> float:
    """How far ``latency`` is over ``limit_ms``; 0 or less: within it."""
    return latency.promised_ms - limit_ms


def too_slow_to_win(
    latency: Latency,
    records: Sequence[TrialRecord],
    risk: Risk,
    limit_ms: float | None,
) -> Ended | None:
    """Where the score is all that counts: no PSNR that it may reach makes it the best."""
    results = [record.result for record in records if record.result and record.within_limit]
    ms = scored_ms(latency, risk)
    needed_db = psnr_needed_db(results, ms)
    if needed_db is None:
        return None
    predicted = "" if ms == latency.ms else f" ({latency.ms:.2f} predicted)"
    reason = f"at {ms:.2f} ms{predicted} it would need {needed_db:.2f} dB in the end to win"
    return Ended(Outcome.PRUNED_BY_LATENCY, reason, latency_constraints(latency, limit_ms))


def psnr_needed_db(results: Iterable[Result], runtime_ms: float) -> float | None:
    """Expected PSNR with which a network of ``runtime_ms``, as the score counts it, would be best.

    None if it may reach it: the best PSNR so far and CREDIT_DB more would do.
    """
    known = [(r.log2_score, r.expected.psnr_db) for r in results]
    if not known:
        return None
    best_score, best_psnr_db = (max(column) for column in zip(*known, strict=True))
    # The score's logarithm grows by 2 for each dB.
    needed_db = best_psnr_db + (best_score - log2_score(best_psnr_db, runtime_ms)) / 2
    return needed_db if needed_db > best_psnr_db + CREDIT_DB else None
