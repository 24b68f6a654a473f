"""Graphs: read back as written, named canonically, counted right, and refused with a reason."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_spaces import (
    INPUT,
    OPERATORS,
    Activation,
    Add,
    Branches,
    ClipForm,
    Concat,
    Conv,
    Deployment,
    DepthToSpace,
    DepthwiseConv,
    Graph,
    GraphBuilder,
    GraphError,
    InputSpec,
    LeakyRelu,
    Node,
    Operator,
    Pad,
    Padding,
    Pool,
    Relu,
    Resize,
    Slice,
    SpaceToDepth,
    Split,
    Subtract,
    Tile,
    TransposedConv,
    infer,
    zoo,
)
from search_spaces.graph.builder import Nonlinearity

from .strategies import graphs

VS680 = InputSpec(360, 640)


@given(graphs())
def test_json_reads_back(graph: Graph) -> None:
    assert Graph.from_json(json.loads(json.dumps(graph.to_json()))) == graph


@given(graphs(), st.randoms(use_true_random=False))
def test_hash_ignores_names_and_order(graph: Graph, randomness: random.Random) -> None:
    names = {
        node.name: f"n{i}"
        for i, node in enumerate(randomness.sample(graph.nodes, len(graph.nodes)))
    }
    names[INPUT] = INPUT
    waiting, known, nodes = list(graph.nodes), {INPUT}, []
    while waiting:
        ready = [node for node in waiting if known.issuperset(node.inputs)]
        node = randomness.choice(ready)
        waiting.remove(node)
        known.add(node.name)
        inputs = tuple(names[name] for name in node.inputs)
        nodes.append(Node(names[node.name], node.operator, inputs))
    assert Graph(tuple(nodes)).hash == graph.hash


@given(graphs(), st.data())
def test_hash_tells_attributes_apart(graph: Graph, data: st.DataObject) -> None:
    convs = [node for node in graph.nodes if isinstance(node.operator, Conv)]
    node = data.draw(st.sampled_from(convs))
    assert isinstance(node.operator, Conv)
    other = replace(node.operator, bias=not node.operator.bias)
    nodes = tuple(replace(n, operator=other) if n is node else n for n in graph.nodes)
    assert Graph(nodes).hash != graph.hash


def test_hash_tells_the_order_of_inputs_apart() -> None:
    def difference(swap: bool) -> str:
        net = GraphBuilder()
        a, b = net.conv(net.input, 12), net.conv(net.input, 12, relu=True)
        return net.image(net.add_node(Subtract(), *((b, a) if swap else (a, b))), 2).hash

    assert difference(swap=True) != difference(swap=False)


@given(graphs())
def test_figures_add_up(graph: Graph) -> None:
    side = graph.multiple * 8
    figures = infer(graph, InputSpec(side, side))
    assert figures.output == (side * graph.scale, side * graph.scale, 3)
    assert figures.macs == sum(row.macs for row in figures.nodes.values())
    twice = infer(graph, InputSpec(2 * side, side))
    assert twice.parameters == figures.parameters
    # Means leave single pixels, so that not everything doubles.
    assert figures.macs < twice.macs <= 2 * figures.macs


@settings(max_examples=30)
@given(graphs())
def test_builder_writes_nothing_twice(graph: Graph) -> None:
    net = GraphBuilder()
    names = {INPUT: INPUT}
    for node in graph.nodes:
        inputs = [names[name] for name in node.inputs]
        names[node.name] = net.add_node(node.operator, *inputs)
        if not node.operator.trained:
            assert net.add_node(node.operator, *inputs) == names[node.name]
    assert net.graph.hash == graph.hash


def conv_parameters(*layers: tuple[int, int, int]) -> int:
    """Of convs given as (kernel, channels in, channels out)."""
    return sum(k * k * a * b + b for k, a, b in layers)


def conv_macs(spec: InputSpec, *layers: tuple[int, int, int]) -> int:
    return spec.height * spec.width * sum(k * k * a * b for k, a, b in layers)


def test_figures_of_abpn() -> None:
    layers = ((3, 3, 28), *[(3, 28, 28)] * 4, (3, 28, 27), (3, 27, 27))
    figures = infer(zoo.abpn(3), VS680)
    assert figures.output == (1080, 1920, 3)
    assert figures.parameters == conv_parameters(*layers) == 42_539
    assert figures.macs == conv_macs(VS680, *layers) == 9_756_288_000


def test_figures_of_xlsr() -> None:
    # A grouped 3x3 of 32 channels in 4 groups reads 8 channels for each output.
    layers = (
        *[(3, 3, 8)] * 4, (1, 32, 32), *[(3, 8, 32), (1, 32, 32)] * 3, (3, 3, 16), (1, 48, 32),
        (3, 32, 27),
    )  # fmt: skip
    figures = infer(zoo.xlsr(3), VS680)
    assert figures.parameters == conv_parameters(*layers) == 21_947
    assert figures.macs == conv_macs(VS680, *layers)
    assert figures.macs == pytest.approx(4.98e9, rel=2e-3)


def image(*nodes: Node) -> Graph:
    """``nodes``, then a conv of the last one to a x2 image."""
    tail = Node("tail", Conv(filters=12), (nodes[-1].name,))
    return Graph((*nodes, tail, Node("pixels", DepthToSpace(), ("tail",))))


def node(operator: Operator, *inputs: str, name: str = "culprit") -> Node:
    return Node(name, operator, inputs or (INPUT,))


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        ([node(Add(), INPUT)], "takes 2 inputs, not 1"),
        ([node(Relu(), INPUT, INPUT)], "takes 1 inputs, not 2"),
        ([node(Concat(), INPUT)], "a concat of one tensor"),
        ([node(Relu(), "nowhere")], "'nowhere' is not an earlier node"),
        ([node(Relu()), node(Relu())], "used twice"),
        ([node(Relu(), name="")], "empty"),
        ([node(Relu(), name="first"), node(Relu())], "'culprit' repeats 'first'"),
        ([node(Conv(filters=4)), node(Relu(), name="next")], "nothing uses 'culprit'"),
        ([node(Conv(filters=4, groups=2))], "3 input channels cannot be split into 2 groups"),
        ([node(Split(parts=2))], "3 channels cannot be split into 2"),
        ([node(Slice(begin=2, size=2))], "channels 2..3 of 3 do not exist"),
        ([node(DepthToSpace(block=2))], "no multiple of block 2 squared"),
        ([node(Conv(filters=2), name="c"), node(Add(), INPUT, "c")], "do not fit together"),
        ([node(Pad(), name="p"), node(Concat(), INPUT, "p")], "sizes"),
        ([node(Pad())], "no whole scale"),
    ],
)  # fmt: skip
def test_graphs_that_cannot_exist(nodes: list[Node], reason: str) -> None:
    with pytest.raises(GraphError, match=reason) as caught:
        image(*nodes)
    assert "culprit" in str(caught.value) or "''" in str(caught.value) or "scale" in reason


def test_empty_graph() -> None:
    with pytest.raises(GraphError, match="no node"):
        Graph(())


def test_output_must_be_an_image() -> None:
    with pytest.raises(GraphError, match="5 channels"):
        Graph((node(Conv(filters=5)),))


def test_too_small_an_image_names_the_node() -> None:
    graph = image(
        node(Pad(2)),
        node(Conv(filters=4, kernel=5, padding=Padding.VALID), "culprit", name="valid"),
    )
    assert infer(graph, InputSpec(1, 1)).output == (2, 2, 3)
    folded = image(node(SpaceToDepth(2)), node(DepthToSpace(2), "culprit", name="back"))
    with pytest.raises(GraphError, match=r"'culprit' .*7x8 is no multiple of block 2"):
        infer(folded, InputSpec(7, 8))


@pytest.mark.parametrize(
    ("operator", "arguments"),
    [
        (Conv, {}), (Conv, {"filters": 6, "groups": 4}), (Conv, {"filters": 4, "kernel": 0}),
        (Conv, {"filters": 4, "stride": 9}), (Conv, {"filters": 4, "dilation": 0}),
        (Conv, {"filters": 4, "stride": 2, "dilation": 2}), (DepthwiseConv, {"kernel": 32}),
        (TransposedConv, {"filters": 0}), (TransposedConv, {"kernel": 0}),
        (TransposedConv, {"stride": 9}), (Split, {"parts": 1}), (Split, {"parts": 2, "index": 2}),
        (Slice, {"begin": -1}), (Slice, {"size": 0}), (LeakyRelu, {"alpha": 1.5}),
        (DepthToSpace, {"block": 1}), (SpaceToDepth, {"block": 17}), (Resize, {"factor": 1}),
        (Tile, {"count": 1}), (Pad, {"border": 0}), (Pool, {"size": 1}), (Pool, {"stride": 0}),
    ],
)  # fmt: skip
def test_attributes_out_of_range(operator: type[Operator], arguments: dict[str, Any]) -> None:
    with pytest.raises(GraphError):
        operator(**arguments)


@pytest.mark.parametrize(
    ("attributes", "value", "arguments"),
    [
        (Conv, "filters 4.0 is not int", {"filters": 4.0}),
        (Conv, "filters True is not int", {"filters": True}),
        (Conv, r"filters np.int64\(4\) is not int", {"filters": np.int64(4)}),
        (Conv, "bias 1 is not bool", {"filters": 4, "bias": 1}),
        (Conv, "activation 'relu' is not Activation", {"filters": 4, "activation": "relu"}),
        (LeakyRelu, "alpha '0.1' is not float", {"alpha": "0.1"}),
        (Resize, "interpolation 'bilinear' is not Interpolation", {"interpolation": "bilinear"}),
        (Deployment, "fold_residual 'none' is not ResidualFold", {"fold_residual": "none"}),
        (Deployment, "pixel_shuffle 'rows' is not PixelShuffle", {"pixel_shuffle": "rows"}),
        (Deployment, "channel_step 8.0 is not int", {"channel_step": 8.0}),
    ],
)
def test_attributes_of_another_type(
    attributes: Callable[..., Any], value: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(GraphError, match=value):
        attributes(**arguments)


def test_a_builder_takes_strings_for_enumerations() -> None:
    def built(then: Any, branches: Any, clip: Any) -> Graph:
        net = GraphBuilder()
        features = net.conv(net.input, 12, then=then, branches=branches)
        return net.image(features, 2, clip)

    expected = built(Nonlinearity.TANH, Branches.EXPANDED, ClipForm.OPERATOR)
    assert built("tanh", "expanded", "operator") == expected
    assert built("relu", "none", "saturate").nodes[0].operator == Conv(
        filters=12, activation=Activation.RELU
    )
    with pytest.raises(ValueError, match="'softmax' is not a valid Nonlinearity"):
        built("softmax", "none", "saturate")


RELU = {"name": "a", "kind": "relu", "inputs": [INPUT]}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({}, "a graph is a list of nodes, not dict"),
        ([7], "node 0 is int"),
        ([RELU, {"name": "b", "kind": "relu"}], "node 1 has no 'inputs'"),
        ([{**RELU, "kind": "softmax"}], "unknown operator 'softmax'; known: conv, "),
        ([{**RELU, "inputs": "input"}], "inputs must be a list"),
        ([{**RELU, "slope": 1}], "relu has no attribute 'slope'"),
        ([{**RELU, "kind": "conv", "filters": "3"}], "'3' is not int"),
        ([{**RELU, "kind": "conv", "filters": True}], "True is not int"),
        ([{**RELU, "kind": "conv", "filters": 3, "padding": "full"}], "'full' is not a valid"),
        ([{**RELU, "kind": "conv", "filters": 0}], "filters 0 is not positive"),
    ],
)
def test_json_that_is_no_graph(data: object, reason: str) -> None:
    with pytest.raises(GraphError, match=reason):
        Graph.from_json(data)


@pytest.mark.parametrize("text", ["360", "360x", "x640", "-1x5", "0x5", "20000x2", "a x b"])
def test_sizes_that_are_none(text: str) -> None:
    with pytest.raises(GraphError):
        InputSpec.parse(text)


def test_size_is_written_as_it_is_read() -> None:
    assert str(InputSpec.parse("360X640")) == "360x640"


def test_every_operator_is_drawn() -> None:
    seen: set[type[Operator]] = set()

    @settings(max_examples=300)
    @given(graphs())
    def collect(graph: Graph) -> None:
        seen.update(type(node.operator) for node in graph.nodes)

    collect()
    assert seen == set(OPERATORS)
