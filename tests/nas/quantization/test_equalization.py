"""Channels brought nearer to one another: the same image, and less lost by INT8."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latency_models import WeightGranularity
from nas.data.images import EMBEDDED, load_data
from nas.data.patches import PatchSampler
from nas.data.pixels import Pixels
from nas.quantization.calibration import largest_values, quantize_afterwards
from nas.quantization.rounding import round_kernels
from nas.training.initialization import Array
from nas.training.interpretation import Interpreter, Mode
from nas.training.job import Weights
from nas.training.network import Network
from nas.training.tensorflow_quietly import tf
from search_spaces import Graph, GraphError, zoo
from search_spaces.graph.quantization import quantization_groups
from search_spaces.spaces.enumeration import RandomTrial
from search_spaces.spaces.loading import load_space
from search_spaces.transforms.equalization import balance
from tests.search_spaces.conversion import random_weights
from tests.search_spaces.small_graphs import SMALL
from tests.search_spaces.strategies import graphs

FLOAT = Mode(quantize=False)
SPACES = ("mobile", "anchor", "residual")


@pytest.fixture(scope="module")
def crops() -> Pixels:
    return PatchSampler(load_data(EMBEDDED, 2).training, 4, 16).batch_of(0, 0)[0]


def uneven_weights(graph: Graph) -> Weights:
    """Of a network whose convolutions give some channels far larger than others."""
    weights = dict(random_weights(Network(graph), 1))
    chance = np.random.default_rng(2)
    for name, kernel in weights.items():
        if name.endswith("/kernel"):
            factors = np.exp(chance.normal(-1, 1, kernel.shape[2:]))  # 1 in the mean square
            weights[name] = kernel * factors.astype(np.float32)
    return weights


def levels(graph: Graph, weights: Weights, crops: Pixels, mode: Mode = FLOAT) -> Array:
    values = {name: tf.constant(value) for name, value in weights.items()}
    result: Array = Interpreter(graph)(values, tf.constant(crops, tf.float32), mode).numpy()
    return result


def require_same_image(graph: Graph, crops: Pixels) -> None:
    weights = uneven_weights(graph)
    after = balance(graph, weights, largest_values(graph, weights, crops))
    assert {name: value.shape for name, value in after.items()} == {
        name: value.shape for name, value in weights.items()
    }
    expected = levels(graph, weights, crops)
    size = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(levels(graph, after, crops), expected, atol=1e-3 * size)


@pytest.mark.parametrize("graph", [build() for build in SMALL.values()], ids=SMALL)
def test_the_image_stays_the_same(graph: Graph, crops: Pixels) -> None:
    require_same_image(graph, crops)


@given(st.sampled_from(SPACES), st.integers(0, 10**6), st.sampled_from([2, 3, 4]))
@settings(max_examples=50, deadline=None)
def test_so_it_does_of_any_network_of_the_spaces(space: str, seed: int, scale: int) -> None:
    graph = load_space(space).draw(RandomTrial(random.Random(seed)), scale).deployed
    require_same_image(graph, np.random.default_rng(0).integers(0, 256, (2, 12, 12, 3), np.uint8))


def test_what_the_network_gives_stays(crops: Pixels) -> None:
    """A sum at the end, with a faint channel: nothing would bring its levels back."""
    graph = SMALL["add, at the end"]()
    faint: Array = np.array([1, 1, 0.05], np.float32)
    weights = {
        name: value * faint if value.shape[-1:] == (3,) else value
        for name, value in random_weights(Network(graph), 1).items()
    }
    expected = levels(graph, weights, crops)
    after = balance(graph, weights, largest_values(graph, weights, crops))
    np.testing.assert_allclose(levels(graph, after, crops), expected, atol=0.05)


def can_be_quantized(graph: Graph) -> bool:
    try:
        quantization_groups(graph)
    except GraphError:
        return False
    return True


@given(graphs().filter(can_be_quantized))
@settings(max_examples=25, deadline=None)
def test_so_it_does_of_any_network_at_all(graph: Graph) -> None:
    side = 12 * graph.multiple
    require_same_image(
        graph, np.random.default_rng(0).integers(0, 256, (2, side, side, 3), np.uint8)
    )


@pytest.mark.parametrize(
    "name",
    ["conv, relu", "conv, 5x5 in 4 groups", "depthwise conv", "transposed conv x3", "shuffle rows"],
)
def test_channels_come_nearer_to_one_another(name: str, crops: Pixels) -> None:
    graph = SMALL[name]()
    weights = uneven_weights(graph)
    before = largest_values(graph, weights, crops)
    after = largest_values(graph, balance(graph, weights, before), crops)
    first = graph.nodes[0].name
    assert after[first].max() == pytest.approx(before[first].max(), rel=1e-4)
    share = before[first] / before[first].max()
    expected = np.where(share < 0.8, np.sqrt(0.8 * share), share)  # halfway, in logarithms
    np.testing.assert_allclose(after[first] / after[first].max(), expected, rtol=1e-3)


def test_what_others_read_too_stays(crops: Pixels) -> None:
    """What a concatenation or a product joins with others cannot be scaled by itself."""
    for name in ("concat", "multiply with sigmoid"):
        graph = SMALL[name]()
        weights = uneven_weights(graph)
        after = balance(graph, weights, largest_values(graph, weights, crops))
        first = f"{graph.nodes[0].name}/kernel"
        np.testing.assert_array_equal(after[first], weights[first])


def test_channels_that_are_always_0_are_scaled_by_no_more_than_16(crops: Pixels) -> None:
    graph = SMALL["conv, relu"]()
    weights = dict(uneven_weights(graph))
    first = graph.nodes[0].name
    for part in ("kernel", "bias"):
        weights[f"{first}/{part}"] = weights[f"{first}/{part}"].copy()
        weights[f"{first}/{part}"][..., 0] = 0
    largest = largest_values(graph, weights, crops)
    reader = f"{graph.nodes[1].name}/kernel"
    factor = weights[reader] / balance(graph, weights, largest)[reader]
    assert factor.max() == pytest.approx(16)


@pytest.mark.parametrize("graph", [zoo.xlsr(2), SMALL["transposed conv x2"]()], ids=["xlsr", "up"])
def test_int8_costs_less(graph: Graph, crops: Pixels) -> None:
    weights = dict(uneven_weights(graph))
    *_, last = (name for name in weights if name.endswith("/kernel"))
    weights[last] = 5 * weights[last]  # else what the image's own levels cost hides all else
    each = WeightGranularity.CHANNEL
    expected, mode = levels(graph, weights, crops), Mode(quantize=True, granularity=each)

    def error(int8: Weights) -> float:
        return float(np.square(levels(graph, int8, crops, mode) - expected).mean())

    network = Network(graph)
    network.restore(weights)
    network.calibrate(tf.constant(crops, tf.float32))
    only_rounded = round_kernels(graph, network.snapshot(), each, crops)
    assert error(quantize_afterwards(graph, weights, each, crops)) < 0.95 * error(only_rounded)
