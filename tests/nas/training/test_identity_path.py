"""Which ways through a graph are alive."""

from __future__ import annotations

import pytest

from nas.training.identity_path import has_living_path
from search_spaces import Graph, GraphBuilder, zoo


def with_branch() -> Graph:
    """conv_1, a branch of conv_2 and conv_3 around it, and the pixels of conv_5."""
    net = GraphBuilder()
    features = net.conv(net.input, 8, relu=True)
    branch = net.conv(net.conv(features, 8, relu=True), 8)
    return net.image(net.conv(net.add(branch, features), 12), 2)


@pytest.mark.parametrize(
    ("dead", "lives"),
    [((), True), (("conv_2",), True), (("conv_2", "conv_3"), True), (("conv_1",), False),
     (("conv_5",), False), (("conv_1", "conv_2", "conv_3"), False)],
)  # fmt: skip
def test_a_network_lives_while_one_way_does(dead: tuple[str, ...], lives: bool) -> None:
    graph = with_branch()
    assert {"conv_1", "conv_2", "conv_3", "conv_5"} <= {node.name for node in graph.nodes}
    assert has_living_path(graph, frozenset(dead)) is lives


def test_the_image_alone_is_no_living_way() -> None:
    """Of ABPN without its convolutions nearest-neighbor enlargement is left."""
    graph = zoo.find("ABPN").build(3).graph
    convolutions = frozenset(node.name for node in graph.nodes if "conv" in node.operator.kind)
    assert has_living_path(graph, frozenset())
    assert not has_living_path(graph, convolutions)
