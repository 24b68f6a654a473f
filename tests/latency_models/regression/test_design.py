"""Choosing what to measure: better than chance, the same each time, and nothing left open."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latency_models.sources.regression.design import PossiblePrices, d_optimal, information


def prices(seed: int, networks: int, constants: int) -> tuple[PossiblePrices, ...]:
    """Two draws of slopes, some of which nothing hangs on."""
    draw = np.random.default_rng(seed)
    precision = np.diag(draw.uniform(0.1, 2.0, constants))
    return tuple(
        PossiblePrices(precision, draw.normal(0, 3, (networks, constants))) for _ in range(2)
    )


SIZES = {"seed": st.integers(0, 10**6), "networks": st.integers(1, 20), "count": st.integers(0, 9)}


@settings(max_examples=25)
@given(**SIZES)
def test_a_design_is_of_different_networks_and_always_the_same(
    seed: int, networks: int, count: int
) -> None:
    of_it = prices(seed, networks, 4)
    chosen = d_optimal(of_it, count)
    assert len(chosen) == len(set(chosen)) == min(count, networks)
    assert d_optimal(of_it, count) == chosen


@settings(max_examples=25)
@given(**SIZES)
def test_none_at_random_tells_more_and_no_exchange_does(
    seed: int, networks: int, count: int
) -> None:
    of_it = prices(seed, networks, 4)
    chosen = d_optimal(of_it, count)
    told = information(of_it, chosen)
    others = [place for place in range(networks) if place not in chosen]
    for index in range(len(chosen)):
        for other in others:
            exchanged = [*chosen[:index], other, *chosen[index + 1 :]]
            assert information(of_it, exchanged) <= told + 1e-6
    at_random = random.Random(seed).sample(range(networks), len(chosen))
    assert count == 0 or information(of_it, []) < told
    if len(chosen) == 1:
        assert information(of_it, at_random) <= told + 1e-9


@pytest.mark.parametrize("fixed", [(), (3,), (3, 5)])
def test_what_is_measured_already_counts_and_what_is_barred_is_not_chosen(
    fixed: Sequence[int],
) -> None:
    of_it = prices(1, 8, 3)
    chosen = d_optimal(of_it, 3, fixed, allowed=[0, 1, 2, 3, 4, 6])
    assert set(chosen) <= {0, 1, 2, 4, 6} | ({3} - set(fixed))
    assert len(chosen) == 3


def test_gains_are_what_information_grows_by() -> None:
    (one, _) = prices(2, 6, 5)
    for beside in ([], [0], [0, 4]):
        grown = [one.information([*beside, new]) - one.information(beside) for new in range(6)]
        assert one.gains(beside).tolist() == pytest.approx(grown)


def test_every_kind_of_operator_is_measured_if_it_can_be() -> None:
    of_it = prices(3, 12, 4)
    holds = np.zeros((12, 5), dtype=bool)
    holds[range(12), [0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 3]] = True  # nobody holds the last
    chosen = d_optimal(of_it, 5, holds=holds)
    assert holds[list(chosen)].any(axis=0).tolist() == [True, True, True, True, False]
    few = d_optimal(of_it, 2, holds=holds)
    assert holds[list(few)].any(axis=0).sum() == 2
