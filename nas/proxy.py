"""The proxy: how long every candidate of a study is trained, set once from a timing of ABPN."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from latency_models import WeightGranularity
from search_spaces import zoo

from .choices import Quantization
from .data import ImageSet
from .recipe import Recipe
from .training import Trainer

#: Below this a schedule has no room for warm-up, cosine and INT8 rounding.
MIN_STEPS = 50
_WARM_UP, _TIMED = 3, 12
#: bfloat16 must be clearly faster: its rounding costs some accuracy, and timings are noisy.
_WORTHWHILE = 1.1


def choose_recipe(
    images: ImageSet,
    granularity: WeightGranularity,
    trial_seconds: float,
    quantization: Quantization,
) -> Recipe:
    """The recipe whose gradient steps on ABPN, twin included, take about ``trial_seconds`` here.

    Convolutions run in bfloat16 where the processor has it and the timing shows it faster.
    """
    base = Recipe(steps=1000, quantization=quantization)
    seconds = _seconds_per_recipe_step(images, granularity, base)
    if has_bfloat16():
        other = replace(base, bfloat16=True)
        other_seconds = _seconds_per_recipe_step(images, granularity, other)
        if other_seconds * _WORTHWHILE < seconds:
            base, seconds = other, other_seconds
    return replace(base, steps=max(MIN_STEPS, round(trial_seconds / seconds)))


def has_bfloat16() -> bool:
    """Does the processor multiply bfloat16 in hardware?"""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore").split()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def _seconds_per_recipe_step(
    images: ImageSet, granularity: WeightGranularity, recipe: Recipe
) -> float:
    """Time of one step of the schedule: float and INT8 steps in the recipe's proportions."""
    trainer = Trainer(zoo.abpn(images.scale), images, recipe, granularity, seed=0)
    plain, rounded = (_median_seconds(trainer, quantise) for quantise in (False, True))
    tail = 1 - recipe.fork_step / recipe.steps
    return plain + tail * rounded


def _median_seconds(trainer: Trainer, quantise: bool) -> float:
    step, times = trainer.step(quantise=quantise), []
    for index in range(_WARM_UP + _TIMED):
        lr, hr = trainer.sampler.batch_of(0, index)
        started = time.perf_counter()
        float(step(lr, hr))
        times.append(time.perf_counter() - started)
    return sorted(times[_WARM_UP:])[_TIMED // 2]
