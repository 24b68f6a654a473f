"""Graphs of more than a thousand nodes, one behind the other: deeper than Python's own stack."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from nas.training.identity_path import IdentityPath
from search_spaces import (
    Candidate,
    Deployment,
    Graph,
    GraphBuilder,
    InputSpec,
    LeakyRelu,
    Relu,
    ResidualFold,
    infer,
    lower,
    quantization_groups,
    tiling_of,
)

DEPTH = 1200
SPEC = InputSpec(24, 32)


def branching() -> Graph:
    """Each addition reads what is before it by two ways: 2^600 of them in all."""
    net = GraphBuilder()
    features = net.conv(net.input, 8)
    for _ in range(DEPTH // 2):
        features = net.add(features, net.add_node(LeakyRelu(), features))
    return net.image(net.conv(features, 27), 3)


def convolutions() -> Graph:
    net = GraphBuilder()
    features = net.input
    for _ in range(DEPTH):
        features = net.conv(features, 8, relu=True)
    return net.image(net.add(net.conv(features, 27), net.concat(*[net.input] * 9)), 3)


def pointwise() -> Graph:
    net = GraphBuilder()
    features = net.conv(net.input, 8)
    for _ in range(DEPTH // 2):
        features = net.add_node(Relu(), net.add_node(LeakyRelu(), features))
    return net.image(net.conv(features, 27), 3)


def long_skips() -> Graph:
    net = GraphBuilder()
    first = features = net.conv(net.input, 8)
    for _ in range(DEPTH // 2):
        features = net.add(net.conv(features, 8), first)
    return net.image(net.conv(features, 27), 3)


MAKERS = [branching, convolutions, pointwise, long_skips]


@pytest.mark.parametrize("make", MAKERS)
def test_every_question_about_a_large_graph_is_answered(make: Callable[[], Graph]) -> None:
    graph = make()
    assert len(graph.nodes) > sys.getrecursionlimit()
    assert Graph.from_json(graph.to_json()).hash == graph.hash
    assert infer(graph, SPEC).macs > 0
    assert quantization_groups(graph).units["input"] == 255
    assert lower(graph, SPEC)
    assert tiling_of(graph, SPEC) is not None
    assert IdentityPath.find(graph).pixel_convs == (_last_conv(graph),)
    widened = Candidate(graph, Deployment(channel_step=16))
    assert infer(widened.deployed, SPEC).macs > infer(graph, SPEC).macs


def test_the_image_goes_a_long_way_through_a_large_graph() -> None:
    graph = convolutions()
    folded = Candidate(graph, Deployment(fold_residual=ResidualFold.LAST))
    assert len(IdentityPath.find(folded.deployed).nodes) > DEPTH
    assert folded.hash != graph.hash


def _last_conv(graph: Graph) -> str:
    return [node.name for node in graph.nodes if node.operator.trained][-1]
