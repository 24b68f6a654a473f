"""Checks whether the networks of a space can be built, lowered and converted."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

from latency_models import WeightGranularity, Worker
from search_spaces import Candidate, InputSpec, NasError, infer, lower, quantization_groups
from search_spaces.spaces.loading import load_space

from ..evaluation.evaluator import untrained_tflite
from ..sampling.agreement import AskedParameters
from ..sampling.replay import ReplayTrial

_LOWERING_INPUT = InputSpec(360, 640)
#: Input size for conversion, whose success does not depend on it; small, to be fast.
_CONVERSION_INPUT = InputSpec(48, 64)


@dataclass(frozen=True)
class SpaceCheck:
    """Result of drawing and building some networks."""

    drawn: int
    different: int
    converted: int
    smallest_gmac: float
    largest_gmac: float
    #: error message -> number of occurrences
    failures: dict[str, int]


def check_space(name: str, scale: int, samples: int, convert: int, seed: int) -> SpaceCheck:
    """Draws ``samples`` networks and converts the first ``convert`` of them.

    Errors of single networks are counted in ``failures``. Raises InputError, with the position in
    the code, if the code of the space is at fault.
    """
    space, rng = load_space(name), random.Random(seed)
    failures: Counter[str] = Counter()
    candidates: list[Candidate] = []
    asked, gmacs = AskedParameters(), [0.0]
    for _ in range(samples):
        trial = ReplayTrial(rng, {})
        try:
            candidate = space.draw(trial, scale)
            asked.require(space, trial)
            for graph in (candidate.graph, candidate.deployed):
                quantization_groups(graph)
            lower(candidate.deployed, _LOWERING_INPUT)
            gmacs.append(infer(candidate.deployed, _LOWERING_INPUT).macs / 1e9)
        except NasError as error:
            failures[str(error)] += 1
        else:
            candidates.append(candidate)
    converted = 0
    with Worker() as worker:
        for candidate in candidates[:convert]:
            try:
                untrained_tflite(
                    worker, candidate.deployed, _CONVERSION_INPUT, WeightGranularity.CHANNEL
                )
                converted += 1
            except NasError as error:
                failures[f"{candidate.hash}: {error}"] += 1
    different = len({candidate.hash for candidate in candidates})
    sizes = gmacs[1:] or gmacs
    return SpaceCheck(samples, different, converted, min(sizes), max(sizes), dict(failures))
