"""The front that a sampler's options promise, before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from search_spaces import InputSpec, NasError, infer, zoo

from ..quality.score import log2_score, score_ratio
from ..quality_model.expectation import ExpectedPsnr
from ..quality_model.features import features_of
from ..quality_model.full_training_model import HALF_WIDTHS
from ..studies.expected_front import ExpectedFront, ExpectedPoint
from .options import ImprovementModel, Option
from .replay import Draw

#: Points of a front that is told in a few lines.
_MOST_POINTS = 6


def foreseen_front(model: ImprovementModel, options: Sequence[Option]) -> ExpectedFront:
    """Some of the ``options`` that no other is expected to beat; the best score among them."""
    allowed = _within_limit(model, options)
    if not allowed:
        return ExpectedFront(())
    yardstick = _abpn(model)
    rows = allowed if yardstick is None else [*allowed, yardstick]
    gains = model.gains(rows)
    means = gains.mean_db + [option.missing_db for option in rows]
    scores = [
        log2_score(model.problem.bicubic_psnr_db + float(mean), 2**option.latency.log2_ms)
        for mean, option in zip(means, rows, strict=True)
    ]
    front: list[int] = []
    for place in sorted(range(len(allowed)), key=lambda n: (rows[n].latency.log2_ms, -means[n])):
        if not front or means[place] > means[front[-1]]:
            front.append(place)
    spread = np.linspace(0, len(front) - 1, min(_MOST_POINTS, len(front)))
    best = max(front, key=scores.__getitem__)
    told = sorted({*(front[round(n)] for n in spread), best}, key=front.index)
    return ExpectedFront(
        tuple(
            ExpectedPoint(
                ms=_known_ms(rows[n]),
                psnr=_full(model, rows[n], float(gains.mean_db[n]), float(gains.deviation_db[n])),
                score_ratio=None if yardstick is None else score_ratio(scores[n], scores[-1]),
            )
            for n in told
        )
    )


def _within_limit(model: ImprovementModel, options: Sequence[Option]) -> list[Option]:
    limit_ms = model.problem.settings.max_latency_ms
    return [option for option in options if option.latency.excess(limit_ms) <= 0]


def _abpn(model: ImprovementModel) -> Option | None:
    """The reference as if it were an option; None where it cannot be one."""
    problem = model.problem
    settings, candidate = problem.settings, zoo.find("ABPN").build(problem.settings.scale)
    try:
        macs = infer(candidate.deployed, InputSpec.parse(settings.input)).macs
        features = features_of(candidate)
    except NasError:  # too small an input
        return None
    (latency,) = problem.estimator.estimates([candidate])
    bicubic_db = problem.bicubic_psnr_db
    (missing_db,) = problem.expectations.missing_db([(candidate.graph, macs, bicubic_db)])
    if latency is None:
        return None
    return Option(Draw(candidate, {}), features, macs, latency, missing_db)


def _known_ms(option: Option) -> float | None:
    """None where nine of ten are not within a factor of two."""
    is_known = HALF_WIDTHS * option.latency.deviation <= 1
    return float(2**option.latency.log2_ms) if is_known else None


def _full(
    model: ImprovementModel, option: Option, gain_db: float, deviation_db: float
) -> ExpectedPsnr:
    """After a full training: the doubt of the short one's result comes to that of the rest."""
    short_db = model.problem.bicubic_psnr_db + gain_db
    graph = option.draw.candidate.graph
    full = model.problem.expectations.of(graph, option.macs, short_db, ())
    return full.doubted(HALF_WIDTHS * deviation_db)
