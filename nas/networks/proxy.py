"""The proxy: how long every candidate of a study is trained, set once from a timing of ABPN."""

from __future__ import annotations

import statistics
import time
from dataclasses import replace

from latency_models import WeightGranularity
from search_spaces import Candidate, zoo

from ..choices import Precision, Quantization, RecipeName
from ..cores import has_bfloat16
from ..images.data import ImageSet
from .recipe import MIN_SEARCH_STEPS, Recipe, recipe_named
from .training import Trainer

_WARM_UP, _TIMED = 3, 12
#: Where steps are slow, fewer are timed: they are the same for longer.
_FEWEST_TIMED, _MOST_SECONDS = 3, 5.0
#: bfloat16 must be clearly faster: its rounding costs some accuracy, and timings are noisy.
_WORTHWHILE = 1.05


def choose_recipe(
    images: ImageSet,
    granularity: WeightGranularity,
    trial_seconds: float,
    quantization: Quantization,
    precision: Precision | None,
) -> Recipe:
    """The recipe whose gradient steps on ABPN, twin included, take about ``trial_seconds`` here.

    Without a ``precision``, convolutions run in bfloat16 where the processor has it and the timing
    shows it faster.
    """
    plain = replace(recipe_named(RecipeName.PROXY), quantization=quantization)
    recipes = [replace(plain, bfloat16=p is Precision.BFLOAT16) for p in _tried(precision)]
    abpn = Candidate(zoo.abpn(images.scale))
    trainers = [Trainer(abpn, images, r, granularity, seed=0) for r in recipes]
    seconds = dict(zip(recipes, _seconds_per_step(trainers), strict=True))
    fastest = min(recipes, key=lambda r: seconds[r] * (_WORTHWHILE if r.bfloat16 else 1.0))
    return replace(fastest, steps=max(MIN_SEARCH_STEPS, round(trial_seconds / seconds[fastest])))


def _tried(precision: Precision | None) -> tuple[Precision, ...]:
    if precision is not None:
        return (precision,)
    return tuple(Precision) if has_bfloat16() else (Precision.FLOAT32,)


def _seconds_per_step(trainers: list[Trainer]) -> list[float]:
    """Time of one step of each schedule: float and INT8 steps in the recipe's proportions.

    All are timed in turn, so that what else the machine does meets them alike.
    """
    kinds = [(trainer, quantise) for trainer in trainers for quantise in (False, True)]
    times: dict[tuple[Trainer, bool], list[float]] = {kind: [] for kind in kinds}
    begun = time.monotonic()
    for index in range(_WARM_UP + _TIMED):
        if index >= _WARM_UP + _FEWEST_TIMED and time.monotonic() - begun > _MOST_SECONDS:
            break
        for trainer, quantise in kinds:
            step, (lr, hr) = trainer.step(quantise=quantise), trainer.sampler.batch_of(0, index)
            started = time.perf_counter()
            float(step(lr, hr))
            times[trainer, quantise].append(time.perf_counter() - started)
    medians = {kind: statistics.median(values[_WARM_UP:]) for kind, values in times.items()}
    # Of all steps, a tail runs with rounding, and the twin runs that tail without.
    tails = [1 - trainer.recipe.fork_step / trainer.recipe.steps for trainer in trainers]
    return [
        medians[trainer, False] + tail * medians[trainer, True]
        for trainer, tail in zip(trainers, tails, strict=True)
    ]
