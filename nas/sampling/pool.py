"""Makes the pool of options from which the next network is chosen.

A pool contains random networks, and mutations and crossovers of the study's best networks. It also
contains the best networks of the same space that other studies have trained; they are the parents
as long as the study has none of its own. A few rounds of evolution follow, in which the most
promising options, by their expected improvement and without any training, are mutated. The same
problem, knowledge and trial number give the same pool.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from search_spaces import InputSpec, NasError, infer, quantization_groups
from search_spaces.graph.capacity import IMAGE_VALUES, has_gaps

from ..quality_model.features import Features, features_of
from .latency_estimate import LatencyEstimator
from .options import ImprovementModel, Option
from .problem import SamplingProblem
from .replay import Choices, Draw, draw, values_of
from .variation import crossover, mutate

#: Number of random networks in a pool, with and without mutations and crossovers of parents.
_RANDOM, _RANDOM_WITHOUT_PARENTS = 24, 96
#: Number of mutations and of crossovers of the parents.
_MUTATED, _CROSSOVERS = 32, 16
#: Number of rounds of evolution, and of mutated networks in each.
_ROUNDS, _MUTATED_PER_ROUND = 2, 40
#: Maximum number of parents, and of networks of other studies in a pool.
_MAX_PARENTS = 8
#: Maximum number of draws for each wanted network; if that many are refused or known already, the
#: space counts as exhausted.
_DRAWS_PER_NETWORK = 5

#: Returns parameter values with which a space draws a network.
ChooseValues = Callable[[random.Random], Mapping[str, Any]]


def make_pool(model: ImprovementModel, number: int) -> tuple[Option, ...]:
    """Returns options for trial ``number``; none of them was proposed in an earlier trial."""
    pool = _Pool.empty(model, f"{number}")
    untried = _untried_warm_choices(model)
    pool.add(map(values_of, untried), len(untried))
    own = model.knowledge.parents(model.problem.objective)[:_MAX_PARENTS]
    pool.grow(_RANDOM if own else _RANDOM_WITHOUT_PARENTS, lambda rng: {})
    parents = own or untried
    if parents:
        pool.grow(_MUTATED, _mutations_of(parents))
        pool.grow(_CROSSOVERS, lambda rng: crossover(rng.choice(parents), rng.choice(parents), rng))
    for _ in range(_ROUNDS):
        order = np.argsort(-model.improvement(pool.options), kind="stable")
        best = [pool.options[index].draw.choices for index in order[:_MAX_PARENTS]]
        if best:
            pool.grow(_MUTATED_PER_ROUND, _mutations_of(best))
    return tuple(pool.options)


def make_small_options(
    model: ImprovementModel, number: int, options: Sequence[Option]
) -> tuple[Option, ...]:
    """Returns small options for trial ``number``; ``options`` are too large for the budget."""
    pool = _Pool.empty(model, f"{number}/small")
    pool.seen_hashes.update(option.hash for option in options)
    pool.grow(_RANDOM_WITHOUT_PARENTS, lambda rng: {})
    for _ in range(_ROUNDS):
        smallest = sorted([*options, *pool.options], key=lambda option: option.macs)[:_MAX_PARENTS]
        pool.grow(_MUTATED_PER_ROUND, _mutations_of([option.draw.choices for option in smallest]))
    return tuple(pool.options)


def _untried_warm_choices(model: ImprovementModel) -> list[Choices]:
    """Returns choices of the best networks of other studies that this one has not proposed."""
    proposed = model.knowledge.proposed
    draws = (draw for draw in model.problem.warm_draws if draw.candidate.hash not in proposed)
    return [draw.choices for draw in itertools.islice(draws, _MAX_PARENTS)]


def _mutations_of(parents: Sequence[Choices]) -> ChooseValues:
    """Returns a chooser of the values of a random parent, one or two of them changed."""
    return lambda rng: mutate(rng.choice(parents), rng)


@dataclass(frozen=True)
class _Network:
    """A drawn network without an estimated latency."""

    draw: Draw
    features: Features
    macs: int


@dataclass
class _Pool:
    """Collects distinct options for one trial."""

    problem: SamplingProblem
    estimator: LatencyEstimator
    rng: random.Random
    #: hashes of all networks that were drawn for the pool or proposed in earlier trials
    seen_hashes: set[str]
    options: list[Option] = field(default_factory=list)

    @classmethod
    def empty(cls, model: ImprovementModel, name: str) -> Self:
        """Returns an empty pool; ``name`` is part of the seed of its random numbers."""
        rng = random.Random(f"{model.problem.settings.seed}/{name}")
        return cls(model.problem, model.estimator, rng, set(model.knowledge.proposed))

    def grow(self, count: int, choose: ChooseValues) -> None:
        """Adds up to ``count`` networks that are drawn with the values that ``choose`` returns."""
        self.add((choose(self.rng) for _ in range(count * _DRAWS_PER_NETWORK)), count)

    def add(self, known: Iterable[Mapping[str, Any]], count: int) -> None:
        """Adds up to ``count`` networks, each drawn with one element of ``known`` values."""
        drawn = (network for values in known if (network := self._draw(values)) is not None)
        self.options += self._options(list(itertools.islice(drawn, count)))

    def _draw(self, known: Mapping[str, Any]) -> _Network | None:
        """Draws a network with the ``known`` values.

        Returns None if it is refused, was drawn before, or loses part of the image.
        """
        settings = self.problem.settings
        try:
            drawn = draw(self.problem.space, settings.scale, self.rng, known)
            candidate = drawn.candidate
            if candidate.hash in self.seen_hashes:
                return None
            self.seen_hashes.add(candidate.hash)
            macs = infer(candidate.deployed, InputSpec.parse(settings.input)).macs
            quantization_groups(candidate.graph)
            features = features_of(candidate)
        except NasError:  # refused by the space or for the input size, or without an INT8 form
            return None
        is_narrow = features.log_narrowest < math.log2(IMAGE_VALUES)
        return None if is_narrow or has_gaps(candidate.graph) else _Network(drawn, features, macs)

    def _options(self, networks: Sequence[_Network]) -> Iterator[Option]:
        """Returns options for the networks that the device supports."""
        problem, bicubic_db = self.problem, self.problem.bicubic_psnr_db
        latencies = self.estimator.estimates([row.draw.candidate for row in networks])
        missing_db = problem.expectations.missing_db(
            [(row.draw.candidate.graph, row.macs, bicubic_db) for row in networks]
        )
        for row, latency, missing in zip(networks, latencies, missing_db, strict=True):
            if latency is not None:
                yield Option(row.draw, row.features, row.macs, latency, missing)
