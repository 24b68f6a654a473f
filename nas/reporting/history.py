"""The history of a search: best score so far and hypervolume of the Pareto front."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..quality.score import score_ratio
from ..studies.record import Result, TrialRecord


@dataclass(frozen=True)
class Moment:
    """The state of a search at the end of a trial."""

    trial: int
    #: time since the study began during which a trial was running
    seconds: float
    #: ratio of this trial's score to the yardstick's score
    ratio: float
    #: the same for the best score so far
    best_ratio: float
    #: see ``hypervolume``; in dB above bicubic times doublings of speed
    hypervolume: float


def history_of(
    records: Sequence[TrialRecord],
    bicubic_psnr_db: float,
    log2_unit: float,
) -> tuple[Moment, ...]:
    """Returns a moment for each trained candidate, in the order in which their trials ended.

    ``log2_unit`` is the binary logarithm of the yardstick's score.
    """
    ended = sorted(
        (record.ended, record.number, record.result, record.within_limit)
        for record in records
        if record.is_trained_candidate and record.result and record.ended is not None
    )
    clock = _Clock(
        (record.begun, record.ended)
        for record in records
        if record.begun is not None and record.ended is not None
    )
    slowest_ms = max((result.scored_ms for _, _, result, _ in ended), default=1.0)
    moments: list[Moment] = []
    front: list[tuple[float, float]] = []
    best = -math.inf
    for time, number, result, within_limit in ended:
        value = result.log2_score
        if within_limit:
            best = max(best, value)
            front = _pareto_front([*front, _gains(result, bicubic_psnr_db, slowest_ms)])
        moments.append(
            Moment(
                trial=number,
                seconds=clock.seconds_until(time),
                ratio=score_ratio(value, log2_unit),
                best_ratio=score_ratio(best, log2_unit),
                hypervolume=hypervolume(front),
            )
        )
    return tuple(moments)


def hypervolume(points: Iterable[tuple[float, float]]) -> float:
    """Returns the area between the origin and the front of ``points``, maximizing both coordinates.

    Zitzler and Thiele, "Multiobjective optimization using evolutionary algorithms - a comparative
    case study", PPSN 1998. A point with a coordinate below 0 adds nothing.
    """
    area, height = 0.0, 0.0
    for x, y in sorted(points, reverse=True):
        if x > 0 and y > height:
            area += x * (y - height)
            height = y
    return area


def _gains(result: Result, bicubic_psnr_db: float, slowest_ms: float) -> tuple[float, float]:
    """Returns the dB above bicubic, and log2 of the speedup over the slowest network.

    The logarithm of the challenge's score is linear in both.
    """
    return result.expected.psnr_db - bicubic_psnr_db, math.log2(slowest_ms / result.scored_ms)


def _pareto_front(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    kept: list[tuple[float, float]] = []
    for x, y in sorted(points, reverse=True):
        if not kept or y > kept[-1][1]:
            kept.append((x, y))
    return kept


class _Clock:
    """Counts the time during which a trial was running, without pauses between runs."""

    def __init__(self, intervals: Iterable[tuple[float, float]]) -> None:
        self._busy: list[tuple[float, float]] = []
        for start, stop in sorted(intervals):
            if self._busy and start <= self._busy[-1][1]:
                begun, until = self._busy.pop()
                self._busy.append((begun, max(until, stop)))
            else:
                self._busy.append((start, stop))

    def seconds_until(self, time: float) -> float:
        return sum(min(stop, time) - start for start, stop in self._busy if start < time)
