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

_WARM_UP_STEPS, _TIMED_STEPS = 3, 12
#: After this many seconds and timed steps, timing ends early: slow steps vary less.
_TIMED_STEPS_MIN, _TIMING_SECONDS = 3, 5.0
#: Least speed-up that bfloat16 must give: its rounding costs accuracy, and timings are noisy.
_BFLOAT16_SPEED_UP = 1.05


def choose_recipe(
    images: ImageSet,
    granularity: WeightGranularity,
    trial_seconds: float | None,
    precision: Precision | None,
) -> Recipe:
    """Returns the proxy recipe for this machine.

    If ``trial_seconds`` is given, the number of steps is such that training ABPN takes about that
    long here. Without a ``precision``, convolutions run in bfloat16 if timing shows it faster.
    """
    base = recipe_named(RecipeName.PROXY)
    precisions = tuple(Precision) if precision is None else (precision,)
    recipes = [replace(base, bfloat16=p is Precision.BFLOAT16) for p in precisions]
    abpn = Candidate(zoo.abpn(images.scale))
    tile = InputSpec(images.scale, images.scale)  # any tile will do: no quality is evaluated
    jobs = [TrainingJob(abpn, recipe, granularity, 0, tile) for recipe in recipes]
    seconds = dict(
        zip(recipes, _seconds_per_step([Trainer(job, images) for job in jobs]), strict=True)
    )
    fastest = min(recipes, key=lambda r: seconds[r] * (_BFLOAT16_SPEED_UP if r.bfloat16 else 1.0))
    if trial_seconds is None:
        return fastest
    return replace(fastest, steps=max(MIN_SEARCH_STEPS, round(trial_seconds / seconds[fastest])))


def _seconds_per_step(trainers: list[Trainer]) -> list[float]:
    """Returns the median time of a gradient step of each trainer.

    The trainers take steps in turn, so that other load on the machine affects all alike.
    """
    times: list[list[float]] = [[] for _ in trainers]
    begun_at = time.monotonic()
    for index in range(_WARM_UP_STEPS + _TIMED_STEPS):
        enough = index >= _WARM_UP_STEPS + _TIMED_STEPS_MIN
        if enough and time.monotonic() - begun_at > _TIMING_SECONDS:
            break
        for trainer, values in zip(trainers, times, strict=True):
            step, (lr, hr) = trainer.step, trainer.sampler.batch_of(0, index)
            started = time.perf_counter()
            float(step(lr, hr))
            values.append(time.perf_counter() - started)
    return [statistics.median(values[_WARM_UP_STEPS:]) for values in times]
