"""Networks by known choices, and new ones made of them, in every space."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.trial import FixedTrial

from nas.sampling.replay import Choice, Draw, draw, values_of
from nas.sampling.variation import crossover, mutate
from search_spaces import Graph, GraphError
from search_spaces.graph.builder import GraphBuilder
from search_spaces.spaces.asking import Trial
from search_spaces.spaces.loading import built_in, load_space
from search_spaces.spaces.space import Space

NAMES = [module.__name__.rpartition(".")[2] for module in built_in()]


def some_network(space: Space, rng: random.Random) -> Draw:
    while True:
        try:
            return draw(space, 3, rng, {})
        except GraphError:
            continue


spaces = st.sampled_from(NAMES).map(load_space)
seeds = st.integers(0, 2**32)


@settings(max_examples=30, deadline=None)
@given(spaces, seeds, seeds)
def test_the_same_choices_make_the_same_network(space: Space, seed: int, other: int) -> None:
    first = some_network(space, random.Random(seed))
    values = values_of(first.choices)
    again = draw(space, 3, random.Random(other), values)
    assert again.candidate.hash == first.candidate.hash
    assert again.choices == first.choices
    # Optuna draws the same of them, and takes each for one of its distribution.
    assert space.draw(FixedTrial(values), 3).hash == first.candidate.hash
    for choice in first.choices.values():
        internal = choice.distribution.to_internal_repr(choice.value)
        assert choice.distribution._contains(internal)


@settings(max_examples=30, deadline=None)
@given(spaces, seeds)
def test_one_or_two_choices_are_changed(space: Space, seed: int) -> None:
    rng = random.Random(seed)
    choices = some_network(space, rng).choices
    values, new = values_of(choices), mutate(choices, rng)
    assert values.keys() == new.keys()
    assert sum(values[name] != new[name] for name in values) in (1, 2)
    for name, value in new.items():
        distribution = choices[name].distribution
        assert distribution._contains(distribution.to_internal_repr(value))


@settings(max_examples=30, deadline=None)
@given(spaces, seeds)
def test_a_cross_has_the_choices_of_both(space: Space, seed: int) -> None:
    rng = random.Random(seed)
    first, second = (some_network(space, rng).choices for _ in range(2))
    mixed = crossover(first, second, rng)
    assert mixed.keys() == first.keys() | second.keys()
    for name, value in mixed.items():
        assert value in [side[name].value for side in (first, second) if name in side]


def of_real_numbers(trial: Trial, scale: int = 3) -> object:
    """A user's space, with kinds of parameters that no built-in one has."""
    net = GraphBuilder()
    factor = trial.suggest_float("factor", 0.5, 2.0, log=True)
    step = trial.suggest_float("step", 1.0, 2.0, step=0.25)
    wide = trial.suggest_int("wide", 1, 10**9, log=True)
    choice = trial.suggest_categorical("any", (True, 2, "2", None))
    width = max(1, round(8 * factor * step)) + (choice is True) + wide % 3
    features = net.conv(net.input, width, relu=True)
    return net.image(net.conv(features, 3 * scale**2), scale)


@pytest.mark.parametrize("seed", range(5))
def test_any_parameter_is_replayed(seed: int) -> None:
    space = Space.of_function(of_real_numbers)  # type: ignore[arg-type]
    rng = random.Random(seed)
    first = draw(space, 3, rng, {})
    again = draw(space, 3, random.Random(99), values_of(first.choices))
    assert again.candidate.hash == first.candidate.hash
    for name, choice in first.choices.items():
        assert again.choices[name].value == pytest.approx(choice.value)
        assert type(again.choices[name].value) is type(choice.value)
    new = mutate(first.choices, rng)
    assert new != values_of(first.choices)


@pytest.mark.parametrize("choices", [(8, 8, 12), (8, 8), ("8", 8, None, None)])
def test_a_choice_that_is_said_twice_is_changed_too(choices: tuple[str | int | None, ...]) -> None:
    distribution = CategoricalDistribution(choices)
    for place, value in enumerate(choices):
        new = mutate({"width": Choice(value, distribution)}, random.Random(place))
        assert new["width"] != value or set(choices) == {value}


def asking_twice(trial: Trial, scale: int = 3) -> Graph:
    """The second time for another range, which Optuna takes no notice of."""
    net = GraphBuilder()
    first = net.conv(net.input, trial.suggest_int("width", 8, 16, step=4), relu=True)
    second = net.conv(first, trial.suggest_int("width", 24, 24), relu=True)
    return net.image(net.conv(second, 3 * scale**2), scale)


@pytest.mark.parametrize("seed", range(5))
def test_a_parameter_that_is_asked_for_twice_has_the_first_range(seed: int) -> None:
    rng = random.Random(seed)
    drawn = draw(Space.of_function(asking_twice), 3, rng, {})
    choice = drawn.choices["width"]
    assert choice.distribution == IntDistribution(8, 16, step=4)
    assert mutate(drawn.choices, rng)["width"] in {8, 12, 16} - {choice.value}


def test_a_choice_that_is_none_any_more_is_drawn_anew() -> None:
    space = load_space("mobile")
    first = some_network(space, random.Random(3))
    assert "form" in first.choices
    other = {"straight": "free", "free": "straight"}[str(first.choices["form"].value)]
    drawn = draw(space, 3, random.Random(1), values_of(first.choices) | {"form": other})
    assert drawn.choices["form"].value == other
