"""Kernels on their INT8 levels: where they land, and what the network gives then."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from latency_models import WeightGranularity
from nas.data.images import EMBEDDED, load_data
from nas.data.patches import PatchSampler
from nas.data.pixels import Pixels
from nas.quantization.fake_quantization import fake_quantize_weights
from nas.quantization.rounding import round_kernels
from nas.training.initialization import Array
from nas.training.interpretation import Mode
from nas.training.job import Weights
from nas.training.network import Network
from nas.training.tensorflow_quietly import tf
from search_spaces import Conv, DepthwiseConv, Graph, TransposedConv, merged_kernel, own_values, zoo
from tests.search_spaces.conversion import random_weights
from tests.search_spaces.small_graphs import SMALL, transposed

EACH = list(WeightGranularity)


@pytest.fixture(scope="module")
def crops() -> Pixels:
    sampler = PatchSampler(load_data(EMBEDDED, 2).training, 8, 24)
    return sampler.batch_of(0, 0)[0]


def calibrated(graph: Graph, crops: Pixels) -> Network:
    network = Network(graph)
    network.restore(random_weights(network, 1))
    network.calibrate(tf.constant(crops, tf.float32))
    return network


def kernels(graph: Graph, weights: Weights) -> dict[str, Array]:
    """Of every convolution, its own channels last."""
    found = {}
    for node in graph.nodes:
        own = own_values(weights, node.name)
        if isinstance(node.operator, Conv):
            found[node.name] = np.asarray(merged_kernel(node.operator, own, np.einsum))
        elif isinstance(node.operator, DepthwiseConv):
            found[node.name] = own["kernel"].transpose(0, 1, 3, 2)
    return found


def transposed_kernels(graph: Graph, weights: Weights) -> dict[str, Array]:
    """Of every transposed convolution; each has one scale."""
    return {
        node.name: weights[f"{node.name}/kernel"]
        for node in graph.nodes
        if isinstance(node.operator, TransposedConv)
    }


def nearest(graph: Graph, weights: Weights, granularity: WeightGranularity) -> Weights:
    """Each weight at its nearest level."""
    rounded = dict(weights)
    for node in graph.nodes:
        key = f"{node.name}/kernel"
        if isinstance(node.operator, Conv):
            rounded[key] = fake_quantize_weights(weights[key], granularity).numpy()
        elif isinstance(node.operator, DepthwiseConv):
            kernel = weights[key].transpose(0, 1, 3, 2)
            rounded[key] = fake_quantize_weights(kernel, granularity).numpy().transpose(0, 1, 3, 2)
        elif isinstance(node.operator, TransposedConv):
            rounded[key] = fake_quantize_weights(weights[key], granularity, transposed=True).numpy()
    return rounded


@pytest.mark.parametrize("granularity", EACH)
@pytest.mark.parametrize("build", SMALL.values(), ids=SMALL)
def test_kernels_are_on_levels_of_the_same_scale(
    build: Callable[[], Graph], granularity: WeightGranularity, crops: Pixels
) -> None:
    graph = build()
    before = calibrated(graph, crops).snapshot()
    after = round_kernels(graph, before, granularity, crops)
    assert after.keys() == before.keys()
    settled = kernels(graph, after)
    for name, kernel in kernels(graph, before).items():
        unsettled = fake_quantize_weights(kernel, granularity).numpy()
        again = fake_quantize_weights(settled[name], granularity).numpy()
        largest = np.abs(unsettled).max(axis=(0, 1, 2))
        np.testing.assert_allclose(again, settled[name], atol=1e-5 * np.abs(kernel).max())
        np.testing.assert_allclose(np.abs(settled[name]).max(axis=(0, 1, 2)), largest, rtol=0.05)
    for name, kernel in transposed_kernels(graph, after).items():
        again = fake_quantize_weights(kernel, granularity, transposed=True).numpy()
        largest = np.abs(transposed_kernels(graph, before)[name]).max()
        np.testing.assert_allclose(again, kernel, atol=1e-5 * largest)
        np.testing.assert_allclose(np.abs(kernel).max(), largest, rtol=1e-5)
    settled |= transposed_kernels(graph, after)
    untouched = before.keys() - {f"{n}/{p}" for n in settled for p in ("kernel", "bias")}
    assert all(np.array_equal(before[key], after[key]) for key in untouched)


@pytest.mark.parametrize("granularity", EACH)
@pytest.mark.parametrize(
    "graph",
    [
        SMALL["conv, relu"](),
        SMALL["conv, no bias"](),
        SMALL["conv, dilated"](),
        SMALL["conv, 5x5 in 4 groups"](),
        SMALL["depthwise conv"](),
        *(transposed(stride, kernel) for stride, kernel in ((2, 4), (3, 9), (4, 5), (3, 3))),
        zoo.xlsr(2),
        zoo.tinysrnet(2),
    ],
    ids=[
        "relu",
        "no bias",
        "dilated",
        "groups",
        "depthwise",
        "x2 by 4x4",
        "x3 by 9x9",
        "x4 by 5x5",
        "x3 by 3x3",
        "xlsr",
        "tinysrnet",
    ],
)
def test_images_change_less_than_with_each_weight_at_its_nearest_level(
    graph: Graph, granularity: WeightGranularity, crops: Pixels
) -> None:
    network, images = calibrated(graph, crops), tf.constant(crops, tf.float32)
    weights = network.snapshot()

    def levels(weights: Weights) -> Array:
        network.restore(weights)
        result: Array = network(images, mode=Mode(quantize=False)).numpy()
        return result

    def error(rounded: Weights) -> float:
        return float(np.square(levels(rounded) - levels(weights)).mean())

    settled = round_kernels(graph, weights, granularity, crops)
    assert error(settled) < 0.5 * error(nearest(graph, weights, granularity))


def test_what_needs_no_rounding_stays(crops: Pixels) -> None:
    """An identity that a rewrite has put there is an identity still."""
    graph = SMALL["conv, relu"]()
    weights = dict(calibrated(graph, crops).snapshot())
    for node in graph.nodes:
        if isinstance(node.operator, Conv):
            kernel = weights[f"{node.name}/kernel"]
            weights[f"{node.name}/kernel"] = np.round(kernel / np.abs(kernel).max())
    after = round_kernels(graph, weights, WeightGranularity.CHANNEL, crops)
    for key, value in weights.items():
        np.testing.assert_allclose(after[key], value, atol=1e-6)
