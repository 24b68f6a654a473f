"""The networks among which the next one is chosen: fresh ones, and relatives of the best.

The best that were trained before the study, of the same space, are among them, and parents while
there are few others.

A few rounds of evolution on what is expected of networks, not on trainings: each takes the most
promising and changes them. The same problem, knowledge and number give the same pool.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from search_spaces import InputSpec, NasError, infer
from search_spaces.graph.capacity import IMAGE_VALUES, has_gaps

from ..quality_model.features import Features, features_of
from .latency_estimate import LatencyEstimator
from .options import ImprovementModel, Option
from .problem import SamplingProblem
from .replay import Choices, Draw, draw, values_of
from .variation import changed, crossed

#: Random draws: of a pool beside relatives, and where nothing is trained yet.
_FRESH, _FRESH_ALONE = 24, 96
#: Of the best trained networks: those with a choice or two changed, and mixtures of two.
_CHANGED, _CROSSED = 32, 16
#: Then, so many times, so many changed ones of the most promising.
_ROUNDS, _EACH_ROUND = 2, 40
#: Networks that new ones are made of; so many of other studies are in a pool.
_PARENTS = 8
#: Failed or known draws, for each that is wanted, after which a space is taken to be exhausted.
_PATIENCE = 5

#: Gives values for a space to draw by.
Chooser = Callable[[random.Random], Mapping[str, Any]]


def make_pool(model: ImprovementModel, number: int) -> tuple[Option, ...]:
    """Options for trial ``number``; none was proposed before."""
    pool = _Pool.begun(model, f"{number}")
    untried = _untried(model)
    pool.add(map(values_of, untried), len(untried))
    own = model.knowledge.parents(model.problem.objective)[:_PARENTS]
    pool.grow(_FRESH if own else _FRESH_ALONE, lambda rng: {})
    parents = own or untried
    if parents:
        pool.grow(_CHANGED, _changes_of(parents))
        pool.grow(_CROSSED, lambda rng: crossed(rng.choice(parents), rng.choice(parents), rng))
    for _ in range(_ROUNDS):
        order = np.argsort(-model.improvement(pool.options), kind="stable")
        best = [pool.options[place].draw.choices for place in order[:_PARENTS]]
        if best:
            pool.grow(_EACH_ROUND, _changes_of(best))
    return tuple(pool.options)


def make_small(
    model: ImprovementModel, number: int, options: Sequence[Option]
) -> tuple[Option, ...]:
    """More options for trial ``number``, small ones: ``options`` are too large for what is left."""
    pool = _Pool.begun(model, f"{number}/small")
    pool.met.update(option.hash for option in options)
    pool.grow(_FRESH_ALONE, lambda rng: {})
    for _ in range(_ROUNDS):
        smallest = sorted([*options, *pool.options], key=lambda option: option.macs)[:_PARENTS]
        pool.grow(_EACH_ROUND, _changes_of([option.draw.choices for option in smallest]))
    return tuple(pool.options)


def _untried(model: ImprovementModel) -> list[Choices]:
    """The best that were trained before the study and not in it."""
    proposed = model.knowledge.proposed
    draws = (draw for draw in model.problem.warm_draws if draw.candidate.hash not in proposed)
    return [draw.choices for draw in itertools.islice(draws, _PARENTS)]


def _changes_of(parents: Sequence[Choices]) -> Chooser:
    """Values of one of them, a choice or two changed."""
    return lambda rng: changed(rng.choice(parents), rng)


@dataclass(frozen=True)
class _Network:
    """A drawn network, before anything is expected of it."""

    draw: Draw
    features: Features
    macs: int


@dataclass
class _Pool:
    problem: SamplingProblem
    estimator: LatencyEstimator
    rng: random.Random
    #: hashes of what is in the pool, or was proposed before
    met: set[str]
    options: list[Option] = field(default_factory=list)

    @classmethod
    def begun(cls, model: ImprovementModel, part: str) -> Self:
        """An empty one; ``part`` of a study draws other networks than its others do."""
        rng = random.Random(f"{model.problem.settings.seed}/{part}")
        return cls(model.problem, model.estimator, rng, set(model.knowledge.proposed))

    def grow(self, count: int, choose: Chooser) -> None:
        """By ``count`` networks drawn with the choices that ``choose`` gives, if there are any."""
        self.add((choose(self.rng) for _ in range(count * _PATIENCE)), count)

    def add(self, known: Iterable[Mapping[str, Any]], count: int) -> None:
        """At most ``count`` networks drawn by what is ``known`` of each."""
        drawn = (network for values in known if (network := self._draw(values)) is not None)
        self.options += self._options(list(itertools.islice(drawn, count)))

    def _draw(self, known: Mapping[str, Any]) -> _Network | None:
        """A network that was not met before, and that the image gets through."""
        settings = self.problem.settings
        try:
            drawn = draw(self.problem.space, settings.scale, self.rng, known)
            candidate = drawn.candidate
            if candidate.hash in self.met:
                return None
            self.met.add(candidate.hash)
            macs = infer(candidate.deployed, InputSpec.parse(settings.input)).macs
            features = features_of(candidate)
        except NasError:  # refused by the space, or at this size; a trial that meets it says why
            return None
        narrow = features.log_narrowest < math.log2(IMAGE_VALUES)
        return None if narrow or has_gaps(candidate.graph) else _Network(drawn, features, macs)

    def _options(self, networks: Sequence[_Network]) -> Iterator[Option]:
        """Those that the device takes."""
        problem, bicubic_db = self.problem, self.problem.bicubic_psnr_db
        latencies = self.estimator.estimates([row.draw.candidate for row in networks])
        missing_db = problem.expectations.missing_db(
            [(row.draw.candidate.graph, row.macs, bicubic_db) for row in networks]
        )
        for row, latency, missing in zip(networks, latencies, missing_db, strict=True):
            if latency is not None:
                yield Option(row.draw, row.features, row.macs, latency, missing)
