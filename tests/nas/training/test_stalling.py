from __future__ import annotations

import numpy as np
import pytest

from nas.data.images import ImagePair, ImageSet
from nas.training.job import Phase, Progress
from nas.training.recipe import Recipe
from nas.training.stalling import FACTOR, FLOOR_SECONDS, StallWatch, judging_steps


def float_step(step: int) -> Progress:
    """Of 1,000."""
    return Progress(Phase.FLOAT, step, 1000, 1.0)


def test_before_the_first_step_there_is_time_to_begin() -> None:
    assert StallWatch(100).patience() == FLOOR_SECONDS >= 600


def test_a_step_may_take_many_times_what_the_others_took() -> None:
    watch = StallWatch(100)
    watch.observe(float_step(1), seconds=40)  # it was compiled
    assert watch.patience() == FLOOR_SECONDS + FACTOR * 40
    watch.observe(float_step(400), seconds=200)
    assert watch.patience() == FLOOR_SECONDS + FACTOR * 0.5


@pytest.mark.parametrize("seconds_per_step", [0.01, 1.0, 900.0])
def test_no_machine_is_too_slow(seconds_per_step: float) -> None:
    watch = StallWatch(100)
    for step in range(1, 20):
        watch.observe(float_step(step), seconds=seconds_per_step * step)
        assert watch.patience() >= FACTOR * seconds_per_step


def test_after_the_last_step_the_network_is_judged_for_as_long_as_there_are_images() -> None:
    watch = StallWatch(judging_steps=100)
    for step in (999, 1000):
        watch.observe(float_step(step), seconds=2 * step)
    assert watch.patience() == FLOOR_SECONDS + FACTOR * 2 * 100


def test_judging_is_measured_in_the_pixels_of_a_step() -> None:
    recipe = Recipe(steps=100, batch=4, patch=10)
    lr, hr = np.zeros((20, 30, 3), np.uint8), np.zeros((60, 90, 3), np.uint8)
    images = ImageSet(3, (ImagePair("a", lr, hr), ImagePair("b", lr, hr)))
    assert judging_steps(recipe, images) == 3
