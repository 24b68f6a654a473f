"""How long candidates are trained, by a timing of this machine."""

from __future__ import annotations

import pytest

from latency_models import WeightGranularity
from nas.choices import Precision, Quantization
from nas.images.data import EMBEDDED, ImageSet, load_data
from nas.networks.proxy import choose_recipe
from nas.networks.recipe import MIN_SEARCH_STEPS, Recipe


@pytest.fixture(scope="module")
def images() -> ImageSet:
    return load_data(EMBEDDED, 3).training


def chosen(images: ImageSet, trial_seconds: float, precision: Precision | None = None) -> Recipe:
    qat, channel = Quantization.QAT, WeightGranularity.CHANNEL
    return choose_recipe(images, channel, trial_seconds, qat, precision)


def test_more_seconds_are_more_steps(images: ImageSet) -> None:
    assert chosen(images, 1000.0, Precision.FLOAT32).steps > 2 * MIN_SEARCH_STEPS


def test_a_schedule_has_room_for_all_its_phases(images: ImageSet) -> None:
    recipe = chosen(images, 0.001, Precision.FLOAT32)
    assert recipe.steps == MIN_SEARCH_STEPS
    assert recipe.warmup_steps < recipe.fork_step < recipe.steps


def test_a_precision_is_what_was_asked_for_or_one_of_all(images: ImageSet) -> None:
    assert chosen(images, 1.0, Precision.BFLOAT16).precision is Precision.BFLOAT16
    assert chosen(images, 1.0).precision in Precision
