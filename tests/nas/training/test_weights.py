"""Weights of one network are told from those of any other before TensorFlow sees them."""

from __future__ import annotations

import numpy as np
import pytest

from nas.training.network import Network
from nas.training.weights import require_weights_of, value_shapes
from search_spaces import InputError, zoo
from tests.search_spaces.small_graphs import SMALL

ABPN = zoo.find("ABPN").build(3).deployed


def zeros() -> dict[str, np.ndarray]:
    return {name: np.zeros(shape, np.float32) for name, shape in value_shapes(ABPN).items()}


@pytest.mark.parametrize("name", SMALL)
def test_values_are_those_of_the_network(name: str) -> None:
    network = Network(SMALL[name]())
    shapes = {key: tuple(variable.shape) for key, variable in network.values.items()}
    assert value_shapes(network.graph) == shapes


def test_its_own_weights_and_more_are_taken() -> None:
    require_weights_of(ABPN, {**zeros(), "another": np.zeros(1, np.float32)})


@pytest.mark.parametrize("other", [zoo.find("ABPN").build(2), zoo.find("XLSR").build(3)])
def test_those_of_another_network_are_refused(other: object) -> None:
    with pytest.raises(InputError, match="another network"):
        require_weights_of(other.deployed, zeros())  # type: ignore[attr-defined]


@pytest.mark.parametrize("value", [np.array("x"), np.array(np.nan, np.float32), np.array(1)])
def test_values_that_are_no_numbers(value: np.ndarray) -> None:
    name = next(name for name, shape in value_shapes(ABPN).items() if shape == ())
    with pytest.raises(InputError, match="no finite numbers"):
        require_weights_of(ABPN, {**zeros(), name: value})
