"""Networks that were trained before the study and that its space draws, too: to make new ones of.

Other studies' and those that come with the package. Their choices are kept with them. Where these
no longer draw the same network, the space is another, or its code has changed: then nothing is made
of them.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from search_spaces import InputSpec, NasError, infer
from search_spaces.spaces.space import Space

from ..choices import Objective
from ..quality_model.networks import KnownNetworks, ShortlyTrainedNetwork
from ..studies.expectations import Expectations
from ..studies.record import undominated
from ..studies.settings import Settings
from .latency_estimate import EstimatedLatency, LatencyEstimator
from .replay import Draw, draw

#: Random draws, one of which a space should accept.
_ATTEMPTS = 10


@dataclass(frozen=True)
class _Promise:
    """What to expect of a network in this study."""

    draw: Draw
    #: after a full training
    psnr_db: float
    latency: EstimatedLatency

    @property
    def log2_score(self) -> float:
        """All but what is the same for all."""
        return 2 * self.psnr_db - self.latency.log2_ms


def warm_draws(
    space: Space,
    settings: Settings,
    estimator: LatencyEstimator,
    expectations: Expectations,
    known: Iterable[KnownNetworks],
) -> tuple[Draw, ...]:
    """The best for this study first, in the order of ``StudyKnowledge.parents``.

    Those that seem to be over the study's limit come last, the nearest first.
    """
    spec, bicubic_db = InputSpec.parse(settings.input), settings.references.bicubic_psnr_db
    found: dict[str, tuple[Draw, int, float]] = {}
    always = _first_parameter(space, settings.scale)
    for part in known:
        for network in part.networks:
            if always not in network.choices:  # of another space, whose draws may take long
                continue
            with contextlib.suppress(NasError):  # refused by the space, or at this size
                drawn = _drawn_again(space, settings.scale, network)
                if drawn is not None:
                    macs = infer(drawn.candidate.deployed, spec).macs
                    psnr_db = bicubic_db + network.psnr_db - part.bicubic_psnr_db
                    found.setdefault(drawn.candidate.hash, (drawn, macs, psnr_db))
    rows = list(found.values())
    latencies = estimator.estimates([drawn.candidate for drawn, _, _ in rows])
    missing_db = expectations.missing_db([(d.candidate.graph, macs, db) for d, macs, db in rows])
    promises = [
        _Promise(drawn, psnr_db + missing, latency)
        for (drawn, _, psnr_db), latency, missing in zip(rows, latencies, missing_db, strict=True)
        if latency is not None
    ]
    return tuple(promise.draw for promise in _in_order(promises, settings))


def _first_parameter(space: Space, scale: int) -> str | None:
    """The name of what the space asks for first in any draw; None if it refuses what is tried."""
    for seed in range(_ATTEMPTS):
        with contextlib.suppress(NasError):
            return next(iter(draw(space, scale, random.Random(seed), {}).choices), None)
    return None


def _drawn_again(space: Space, scale: int, network: ShortlyTrainedNetwork) -> Draw | None:
    """By its choices; None if they draw another. How it is deployed is this study's affair."""
    drawn = draw(space, scale, random.Random(0), network.choices)
    same = drawn.candidate.graph.hash == network.candidate.graph.hash
    return drawn if same else None


def _in_order(promises: Sequence[_Promise], settings: Settings) -> list[_Promise]:
    rows = sorted(promises, key=lambda row: -row.log2_score)
    if settings.objective is Objective.PARETO:
        front = undominated(rows, lambda row: (row.latency.log2_ms, row.psnr_db))
        hashes = {row.draw.candidate.hash for row in front}
        rows.sort(key=lambda row: row.draw.candidate.hash not in hashes)
    return sorted(rows, key=lambda row: max(0.0, row.latency.excess(settings.max_latency_ms)))
