"""Finds networks trained before the study that its space can draw, as parents of new networks.

They come from other studies and from the package, together with the choices that made them. If
these choices draw another network in the study's space, it is another space or its code has
changed; then the network is not used.
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

#: Number of random draws, of which a space should accept at least one.
_ATTEMPTS = 10


@dataclass(frozen=True)
class _ExpectedDraw:
    """A drawn network, and the figures expected of it in this study."""

    draw: Draw
    #: expected after a full training
    psnr_db: float
    latency: EstimatedLatency

    @property
    def log2_score(self) -> float:
        """Binary logarithm of the score, up to a constant."""
        return 2 * self.psnr_db - self.latency.log2_ms


def warm_draws(
    space: Space,
    settings: Settings,
    estimator: LatencyEstimator,
    expectations: Expectations,
    known: Iterable[KnownNetworks],
) -> tuple[Draw, ...]:
    """Returns the networks of ``known`` that ``space`` draws, the best for this study first.

    The order is that of ``StudyKnowledge.parents``. Networks whose estimated latency is over the
    study's limit come last, the nearest to the limit first.
    """
    spec, bicubic_db = InputSpec.parse(settings.input), settings.references.bicubic_psnr_db
    found: dict[str, tuple[Draw, int, float]] = {}
    first_name = _first_parameter(space, settings.scale)
    for part in known:
        for network in part.networks:
            if first_name not in network.choices:  # another space; drawing it may take long
                continue
            with contextlib.suppress(NasError):  # refused by the space or for the input size
                drawn = _redraw(space, settings.scale, network)
                if drawn is not None:
                    macs = infer(drawn.candidate.deployed, spec).macs
                    psnr_db = bicubic_db + network.psnr_db - part.bicubic_psnr_db
                    found.setdefault(drawn.candidate.hash, (drawn, macs, psnr_db))
    rows = list(found.values())
    latencies = estimator.estimates([drawn.candidate for drawn, _, _ in rows])
    missing_db = expectations.missing_db([(d.candidate.graph, macs, db) for d, macs, db in rows])
    expected = [
        _ExpectedDraw(drawn, psnr_db + missing, latency)
        for (drawn, _, psnr_db), latency, missing in zip(rows, latencies, missing_db, strict=True)
        if latency is not None
    ]
    return tuple(row.draw for row in _sorted(expected, settings))


def _first_parameter(space: Space, scale: int) -> str | None:
    """Returns the name of the parameter that ``space`` always asks for first.

    None if it has no parameters or refuses all attempts to draw a network.
    """
    for seed in range(_ATTEMPTS):
        with contextlib.suppress(NasError):
            return next(iter(draw(space, scale, random.Random(seed), {}).choices), None)
    return None


def _redraw(space: Space, scale: int, network: ShortlyTrainedNetwork) -> Draw | None:
    """Draws ``network`` again by its choices; None if they make another trained graph.

    The deployed graph may differ, since it depends on this study's device.
    """
    drawn = draw(space, scale, random.Random(0), network.choices)
    same = drawn.candidate.graph.hash == network.candidate.graph.hash
    return drawn if same else None


def _sorted(expected: Sequence[_ExpectedDraw], settings: Settings) -> list[_ExpectedDraw]:
    rows = sorted(expected, key=lambda row: -row.log2_score)
    if settings.objective is Objective.PARETO:
        front = undominated(rows, lambda row: (row.latency.log2_ms, row.psnr_db))
        hashes = {row.draw.candidate.hash for row in front}
        rows.sort(key=lambda row: row.draw.candidate.hash not in hashes)
    return sorted(rows, key=lambda row: max(0.0, row.latency.excess(settings.max_latency_ms)))
