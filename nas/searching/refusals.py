"""Reasons to end a trial without a result; each function returns None if there is no reason."""

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

#: Largest gain in dB over the best network so far that a candidate is assumed to reach. In the
#: challenges of 2021 and 2022 no network was more than 0.25 dB above ABPN (arXiv:2105.07825,
#: 2211.05910).
MAX_GAIN_DB = 0.5
#: Outcomes that another trial of the same network would only repeat.
_REPEATABLE = (Outcome.TRAINED, Outcome.INFEASIBLE, Outcome.PRUNED_BY_LATENCY)
#: Outcomes that the sampler ranks below all trained trials.
_PRUNED = (Outcome.INFEASIBLE, Outcome.PRUNED_BY_LATENCY)


@dataclass(frozen=True)
class Constraint:
    """A constraint for the sampler; ``excess`` is the size of its violation if it is above 0."""

    name: str
    excess: float


@dataclass(frozen=True)
class Ended:
    """The end of a trial without a result, with the reason."""

    outcome: Outcome
    reason: str
    constraints: tuple[Constraint, ...] = ()
    #: latency of the network, if it was timed before the trial ended
    latency: Latency | None = None

    def __post_init__(self) -> None:
        if self.outcome is Outcome.TRAINED or not self.reason:
            raise ValueError(f"a trial without a value: {self.outcome}, reason {self.reason!r}")

    @property
    def is_pruned(self) -> bool:
        """Whether the sampler learns from the trial; it ignores all others without a result."""
        return self.outcome in _PRUNED


def duplicate(number: int, candidate: str, search: SearchState) -> Ended | None:
    """Refuses a network that another trial has already trained, refused, or begun.

    Networks that failed in an earlier run are tried again, since the cause may be gone.
    """
    other = next(
        (r for r in search.records if r.candidate == candidate and _precedes(r, number, search)),
        None,
    )
    if other is None:
        return None
    return Ended(Outcome.DUPLICATE, f"the same network as trial {other.number}")


def _precedes(other: TrialRecord, number: int, search: SearchState) -> bool:
    """Whether ``other``, of the same network, makes trial ``number`` a duplicate."""
    if other.baseline or other.number == number:
        return False
    runs_earlier = other.running and other.number < number
    failed = other.outcome is Outcome.FAILED and search.run.contains(other.number)
    ended = other.has_ended and other.outcome in _REPEATABLE
    return runs_earlier or failed or ended


def bottleneck(graph: Graph) -> Ended | None:
    """Refuses networks too narrow to transmit the image, which are worse than interpolation."""
    values = values_per_pixel(graph)
    if values >= IMAGE_VALUES:
        return None
    return Ended(
        Outcome.INFEASIBLE,
        f"only {values:g} of the image's {IMAGE_VALUES} values a pixel get through it",
        (Constraint("image_values", IMAGE_VALUES - values),),
    )


def gaps(graph: Graph) -> Ended | None:
    """Refuses networks with output pixels that depend on no input pixel, or on no weight."""
    if not has_gaps(graph):
        return None
    return Ended(
        Outcome.INFEASIBLE,
        "some pixels of its output depend on no pixel of the image, or on no weight",
        (Constraint("gaps", 1.0),),
    )


def over_budget(number: int, macs: int, search: SearchState) -> Ended | None:
    """Refuses a network of ``macs`` that exceeds the trials or the time left of the budget."""
    reason = search.refusal(number, macs)
    return None if reason is None else Ended(Outcome.OVER_BUDGET, reason)


def unsupported(error: NeverTaken) -> Ended:
    """Refuses a network whose operators or memory the device does not support."""
    constraint = Constraint(error.constraint, error.excess)
    return Ended(Outcome.INFEASIBLE, str(error), (constraint,))


def latency_constraints(latency: Latency, limit_ms: float | None) -> tuple[Constraint, ...]:
    """Returns the constraint of the study's latency limit, if it has one."""
    if limit_ms is None:
        return ()
    return (Constraint("max_latency_ms", excess_ms(latency, limit_ms)),)


def over_limit(latency: Latency, limit_ms: float | None) -> Ended | None:
    """Refuses a network whose latency, or the upper end of its interval, exceeds the limit."""
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
    """Returns by how many ms ``latency`` exceeds ``limit_ms``; 0 or less if it is within."""
    return latency.promised_ms - limit_ms


def too_slow_to_win(
    latency: Latency,
    records: Sequence[TrialRecord],
    risk: Risk,
    limit_ms: float | None,
) -> Ended | None:
    """Refuses a network that would need an implausibly high PSNR for the best score."""
    results = [record.result for record in records if record.result and record.within_limit]
    ms = scored_ms(latency, risk)
    needed_db = psnr_needed_db(results, ms)
    if needed_db is None:
        return None
    predicted = "" if ms == latency.ms else f" ({latency.ms:.2f} predicted)"
    reason = f"at {ms:.2f} ms{predicted} it would need {needed_db:.2f} dB in the end to win"
    return Ended(Outcome.PRUNED_BY_LATENCY, reason, latency_constraints(latency, limit_ms))


def psnr_needed_db(results: Iterable[Result], runtime_ms: float) -> float | None:
    """Returns the expected PSNR that a network of ``runtime_ms`` needs for the best score.

    None if that is plausible, i.e. at most MAX_GAIN_DB above the best PSNR so far.
    """
    values = [(r.log2_score, r.expected.psnr_db) for r in results]
    if not values:
        return None
    best_score, best_psnr_db = (max(column) for column in zip(*values, strict=True))
    # The score's logarithm grows by 2 for each dB.
    needed_db = best_psnr_db + (best_score - log2_score(best_psnr_db, runtime_ms)) / 2
    return needed_db if needed_db > best_psnr_db + MAX_GAIN_DB else None
