"""Halo and multiple, against what the network really does with a single bright pixel."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from nas.networks.interpretation import Mode
from nas.networks.network import Network
from nas.networks.tensorflow_quietly import tf
from search_spaces import Graph, InputSpec, halo, lower, multiple, zoo
from search_spaces.anchor import sample

from .small_graphs import SMALL, channel_attention
from .trials import RandomTrial

SIDE = 36
_WHOLE_IMAGE = ("channel attention",)


def measured_reach(graph: Graph) -> int:
    """LR pixels from a pixel to the farthest one whose result it changes."""
    network, random = Network(graph), np.random.default_rng(0)
    # All positive and without bias, so that nothing cancels out and no ReLU is shut; small, so that
    # nothing is clipped.
    weights = network.snapshot()
    for name, value in weights.items():
        low, high = (0.0, 0.0) if name.endswith("bias") else (0.005, 0.01)
        weights[name] = random.uniform(low, high, value.shape).astype(np.float32)
    network.restore(weights)
    middle = SIDE // 2
    starts = list(itertools.product(range(middle, middle + graph.multiple), repeat=2))
    images = np.zeros((len(starts) + 1, SIDE, SIDE, 3), np.float32)
    for image, (y, x) in zip(images, starts, strict=False):
        image[y, x] = 200
    results = network(tf.constant(images), mode=Mode(quantise=False)).numpy()
    changed = (results[:-1] != results[-1]).any(axis=-1)
    reach = 0
    for seen, start in zip(changed, starts, strict=True):
        pixels = np.argwhere(seen) // graph.scale
        reach = max(reach, int(np.abs(pixels - start).max()))
    return reach


def reckoned_halo(graph: Graph) -> int:
    value = halo(lower(graph, InputSpec(SIDE, SIDE)))
    assert value is not None
    return value


#: So deep that what comes from afar is lost in rounding.
_FADES = {"EDSR-attention"}


@pytest.mark.parametrize(
    "graph",
    [
        *(network.build(3).deployed for network in zoo.ZOO if network.name not in _FADES),
        *(sample(RandomTrial(n)) for n in range(6)),
    ],
    ids=lambda graph: graph.hash,
)
def test_halo_of_networks_of_stride_1_is_exact(graph: Graph) -> None:
    assert reckoned_halo(graph) == measured_reach(graph)


@pytest.mark.parametrize("name", [name for name in SMALL if name not in _WHOLE_IMAGE])
def test_halo_covers_each_operator(name: str) -> None:
    graph = SMALL[name]()
    assert measured_reach(graph) <= reckoned_halo(graph) <= measured_reach(graph) + 4


def test_a_mean_sees_the_whole_image() -> None:
    assert halo(lower(channel_attention(), InputSpec(SIDE, SIDE))) is None


@pytest.mark.parametrize("name", SMALL)
def test_multiple_is_the_graphs(name: str) -> None:
    graph = SMALL[name]()
    assert multiple(lower(graph, InputSpec(SIDE, SIDE))) == graph.multiple
