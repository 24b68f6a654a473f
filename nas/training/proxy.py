"""Chooses the proxy recipe of a study, by timing gradient steps on this machine."""

from __future__ import annotations

import statistics
import time
from dataclasses import replace

from latency_models import WeightGranularity
from search_spaces import Candidate, InputSpec, zoo

from ..choices import Precision, RecipeName
from ..data.images import ImageSet
from .job import TrainingJob
from .recipe import MIN_SEARCH_STEPS, Recipe, recipe_named
from .trainer import Trainer

_WARM_UP, _TIMED = 3, 12
#: Where steps are slow, fewer are timed: they are the same for longer.
_FEWEST_TIMED, _MOST_SECONDS = 3, 5.0
#: bfloat16 must be clearly faster: its rounding costs some accuracy, and timings are noisy.
_WORTHWHILE = 1.05


def choose_recipe(
    images: ImageSet,
    granularity: WeightGranularity,
    trial_seconds: float | None,
    precision: Precision | None,
) -> Recipe:
    """The proxy's recipe; its gradient steps on ABPN take about ``trial_seconds`` here, if given.

    Without a ``precision``, convolutions run in bfloat16 where the timing shows it faster.
    """
    plain = recipe_named(RecipeName.PROXY)
    tried = tuple(Precision) if precision is None else (precision,)
    recipes = [replace(plain, bfloat16=p is Precision.BFLOAT16) for p in tried]
    abpn = Candidate(zoo.abpn(images.scale))
    tile = InputSpec(images.scale, images.scale)  # nothing is judged
    jobs = [TrainingJob(abpn, recipe, granularity, 0, tile) for recipe in recipes]
    seconds = dict(
        zip(recipes, _seconds_per_step([Trainer(job, images) for job in jobs]), strict=True)
    )
    fastest = min(recipes, key=lambda r: seconds[r] * (_WORTHWHILE if r.bfloat16 else 1.0))
    if trial_seconds is None:
        return fastest
    return replace(fastest, steps=max(MIN_SEARCH_STEPS, round(trial_seconds / seconds[fastest])))


def _seconds_per_step(trainers: list[Trainer]) -> list[float]:
    """Median time of one gradient step of each, timed in turn: what else the machine does meets
    them alike.
    """
    times: list[list[float]] = [[] for _ in trainers]
    begun = time.monotonic()
    for index in range(_WARM_UP + _TIMED):
        if index >= _WARM_UP + _FEWEST_TIMED and time.monotonic() - begun > _MOST_SECONDS:
            break
        for trainer, values in zip(trainers, times, strict=True):
            step, (lr, hr) = trainer.step, trainer.sampler.batch_of(0, index)
            started = time.perf_counter()
            float(step(lr, hr))
            values.append(time.perf_counter() - started)
    return [statistics.median(values[_WARM_UP:]) for values in times]
