"""Predicts the front of a search from the sampler's options, before anything is trained."""

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

#: Maximum number of points of a predicted front, so that it can be shown in a few lines.
_MAX_POINTS = 6


def predict_front(model: ImprovementModel, options: Sequence[Option]) -> ExpectedFront:
    """Returns points of the expected Pareto front of ``options``, the fastest first.

    The points are spread over the whole front; the network with the best expected score is always
    among them. Options over the study's latency limit are left out.
    """
    allowed = _within_limit(model, options)
    if not allowed:
        return ExpectedFront(())
    abpn = _abpn_option(model)
    rows = allowed if abpn is None else [*allowed, abpn]
    gains = model.gains(rows)
    means = gains.mean_db + [option.missing_db for option in rows]
    scores = [
        log2_score(model.problem.bicubic_psnr_db + float(mean), 2**option.latency.log2_ms)
        for mean, option in zip(means, rows, strict=True)
    ]
    front: list[int] = []  # indices of ``rows``
    for index in sorted(range(len(allowed)), key=lambda n: (rows[n].latency.log2_ms, -means[n])):
        if not front or means[index] > means[front[-1]]:
            front.append(index)
    spread = np.linspace(0, len(front) - 1, min(_MAX_POINTS, len(front)))
    best = max(front, key=scores.__getitem__)
    selected = sorted({*(front[round(n)] for n in spread), best}, key=front.index)
    return ExpectedFront(
        tuple(
            ExpectedPoint(
                ms=_ms_if_known(rows[n]),
                psnr=_full_training_psnr(
                    model, rows[n], float(gains.mean_db[n]), float(gains.deviation_db[n])
                ),
                score_ratio=None if abpn is None else score_ratio(scores[n], scores[-1]),
            )
            for n in selected
        )
    )


def _within_limit(model: ImprovementModel, options: Sequence[Option]) -> list[Option]:
    limit_ms = model.problem.settings.max_latency_ms
    return [option for option in options if option.latency.excess(limit_ms) <= 0]


def _abpn_option(model: ImprovementModel) -> Option | None:
    """Returns the reference ABPN as an option; None if the input or the device rules it out."""
    problem = model.problem
    settings, candidate = problem.settings, zoo.find("ABPN").build(problem.settings.scale)
    try:
        macs = infer(candidate.deployed, InputSpec.parse(settings.input)).macs
        features = features_of(candidate)
    except NasError:  # the input is too small for it
        return None
    (latency,) = problem.estimator.estimates([candidate])
    bicubic_db = problem.bicubic_psnr_db
    (missing_db,) = problem.expectations.missing_db([(candidate.graph, macs, bicubic_db)])
    if latency is None:
        return None
    return Option(Draw(candidate, {}), features, macs, latency, missing_db)


def _ms_if_known(option: Option) -> float | None:
    """Returns the estimated ms, or None if its 90 % interval exceeds a factor of 2 either way."""
    is_known = HALF_WIDTHS * option.latency.deviation <= 1
    return float(2**option.latency.log2_ms) if is_known else None


def _full_training_psnr(
    model: ImprovementModel, option: Option, gain_db: float, deviation_db: float
) -> ExpectedPsnr:
    """Returns the PSNR expected after a full training.

    Its interval includes the uncertainty of the short training's predicted gain.
    """
    short_db = model.problem.bicubic_psnr_db + gain_db
    graph = option.draw.candidate.graph
    full = model.problem.expectations.of(graph, option.macs, short_db, ())
    return full.doubted(HALF_WIDTHS * deviation_db)
