"""How long candidates are trained, by a timing of this machine."""

from __future__ import annotations

import pytest

from latency_models import WeightGranularity
from nas.choices import Precision, RecipeName
from nas.data.images import EMBEDDED, ImageSet, load_data
from nas.training.proxy import choose_recipe
from nas.training.recipe import MIN_SEARCH_STEPS, Recipe, recipe_named


@pytest.fixture(scope="module")
def images() -> ImageSet:
    return load_data(EMBEDDED, 3).training


def chosen(
    images: ImageSet, trial_seconds: float | None, precision: Precision | None = None
) -> Recipe:
    return choose_recipe(images, WeightGranularity.CHANNEL, trial_seconds, precision)


def test_more_seconds_are_more_steps(images: ImageSet) -> None:
    assert chosen(images, 1000.0, Precision.FLOAT32).steps > 2 * MIN_SEARCH_STEPS


def test_a_schedule_has_room_for_all_its_phases(images: ImageSet) -> None:
    recipe = chosen(images, 0.001, Precision.FLOAT32)
    assert recipe.steps == MIN_SEARCH_STEPS
    for schedule in (recipe.float_schedule(9), recipe.int8_schedule):
        assert 0 < schedule.warmup_steps < schedule.steps


def test_a_precision_is_what_was_asked_for_or_one_of_all(images: ImageSet) -> None:
    assert chosen(images, 1.0, Precision.BFLOAT16).precision is Precision.BFLOAT16
    assert chosen(images, 1.0).precision in Precision


def test_without_a_time_only_the_precision_is_chosen(images: ImageSet) -> None:
    assert chosen(images, None).steps == recipe_named(RecipeName.PROXY).steps
