"""Checks, before a search, that a space yields networks that fit the input size."""

from __future__ import annotations

from collections.abc import Iterator

import optuna
from optuna.samplers import RandomSampler

from search_spaces import Candidate, InputError, InputSpec, NasError, zoo
from search_spaces.spaces.space import Space

from ..data.images import ImageSet
from ..quality.tiles import require_tiles
from ..sampling.agreement import require_agreement
from .stopping import MAX_FAILURES_IN_A_ROW


def require_searchable(space: Space, spec: InputSpec, images: ImageSet, *, baselines: bool) -> None:
    """Raises InputError if ``space`` cannot be searched.

    That is so if no network can be drawn from it, if ``spec`` is too small for a network, or if a
    parameter has different choices in different networks: a search would silently omit some.
    """
    networks = [
        (network.name, network.build(images.scale)) for network in zoo.REFERENCES if baselines
    ]
    drawn = _draw_candidates(space, images.scale)
    networks += [(f"networks of {space.name}", candidate) for candidate in drawn]
    for name, candidate in networks:
        try:
            require_tiles(candidate.deployed, spec, images)
        except NasError as error:
            raise InputError(f"--input {spec} does not suit {name}: {error}") from None
    require_agreement(space, images.scale)


def _draw_candidates(space: Space, scale: int) -> Iterator[Candidate]:
    """Draws some random networks; raises InputError if the space refuses all of them."""
    study = optuna.create_study(sampler=RandomSampler(seed=0))
    failures: list[NasError] = []
    for _ in range(MAX_FAILURES_IN_A_ROW):
        try:
            yield space.draw(study.ask(), scale)
        except NasError as error:
            failures.append(error)
    if len(failures) == MAX_FAILURES_IN_A_ROW:
        raise InputError(f"{failures[-1]} (all {len(failures)} networks drawn for a check failed)")
