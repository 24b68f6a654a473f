"""Checks before a search that a space yields networks which fit the input size."""

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
    """InputError if nothing can be drawn from ``space``, or ``spec`` is too small for a network.

    Or if a parameter has other choices in other networks: these would be left out, unsaid.
    """
    networks = [
        (network.name, network.build(images.scale)) for network in zoo.REFERENCES if baselines
    ]
    networks += [(f"networks of {space.name}", drawn) for drawn in _drawn(space, images.scale)]
    for name, candidate in networks:
        try:
            require_tiles(candidate.deployed, spec, images)
        except NasError as error:
            raise InputError(f"--input {spec} does not do for {name}: {error}") from None
    require_agreement(space, images.scale)


def _drawn(space: Space, scale: int) -> Iterator[Candidate]:
    """Draws some networks by a temporary study; InputError if the space refuses all of them."""
    study = optuna.create_study(sampler=RandomSampler(seed=0))
    failures: list[NasError] = []
    for _ in range(MAX_FAILURES_IN_A_ROW):
        try:
            yield space.draw(study.ask(), scale)
        except NasError as error:
            failures.append(error)
    if len(failures) == MAX_FAILURES_IN_A_ROW:
        raise InputError(f"{failures[-1]} (as all of {len(failures)} networks drawn for a check)")
