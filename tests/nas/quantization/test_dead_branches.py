"""Convolutions that give nothing, beside features of any size: the file runs all the same."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.training.network import Network
from search_spaces import Graph, GraphBuilder, InputSpec
from search_spaces.spaces.enumeration import RandomTrial
from search_spaces.spaces.loading import load_space
from tests.search_spaces.conversion import Converted, converted, random_weights

SPEC = InputSpec(16, 16)


def converted_with_dead(graph: Graph, loudness: float, is_dead: list[bool]) -> Converted:
    """Of random weights, the first kernel so many times larger; those of dead ones negative."""
    network = Network(graph)
    weights = random_weights(network, 1)
    kernels = [name for name in weights if name.endswith("/kernel")]
    weights[kernels[0]] *= np.float32(loudness)
    for name, dead in zip(kernels, is_dead, strict=False):
        if dead:
            # Quieter, or features would grow with each.
            weights[name] = (-np.abs(weights[name]) / 16).astype(np.float32)
            weights[name.replace("/kernel", "/bias")] *= np.float32(-1)
    return converted(graph, SPEC, weights=weights)


def residual_block() -> Graph:
    net = GraphBuilder()
    features = net.conv(net.input, 8, relu=True)
    branch = net.conv(net.conv(features, 8, relu=True), 8)
    return net.image(net.conv(net.add(features, branch), 12), 2)


@pytest.mark.parametrize("loudness", [100, 10_000])
def test_a_dead_branch_beside_large_features(loudness: float) -> None:
    result = converted_with_dead(residual_block(), loudness, [False, True, False, False])
    assert np.abs(result.run() - result.simulated).mean() < 1


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 10**6),
    st.sampled_from([1, 5]),
    st.lists(st.booleans(), min_size=30, max_size=30),
)
def test_any_convolutions_of_any_network(seed: int, loudness: float, dead: list[bool]) -> None:
    graph = load_space("mobile").draw(RandomTrial(random.Random(seed)), 3).deployed
    assert len(converted_with_dead(graph, loudness, dead).run()) == 3


@pytest.mark.parametrize("bias", [0.2, -0.9, 4.0])
def test_a_filter_of_zeros_gives_its_bias(bias: float) -> None:
    """``bias`` in whole image ranges."""
    net = GraphBuilder()
    features = net.conv(net.input, 8, relu=True)
    graph = net.image(net.conv(features, 12), 2)
    weights = random_weights(Network(graph), 1)
    kernels = [name for name in weights if name.endswith("/kernel")]
    weights[kernels[0]][..., 3] = 0
    weights[kernels[0].replace("/kernel", "/bias")][3] = bias
    weights[kernels[1]][..., 5] = 0
    weights[kernels[1].replace("/kernel", "/bias")][5] = bias
    result = converted(graph, SPEC, weights=weights)
    assert np.abs(result.run() - result.simulated).max() < 2
