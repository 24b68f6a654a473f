"""What of an image can get through a graph."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor, prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_spaces import (
    Conv,
    GraphBuilder,
    Pad,
    Padding,
    Resize,
    SpaceToDepth,
    TransposedConv,
    infer,
    zoo,
)
from search_spaces.graph.capacity import IMAGE_VALUES, has_gaps, values_per_pixel
from search_spaces.graph.graph import Graph
from search_spaces.graph.input_spec import InputSpec
from search_spaces.graph.windows import Reads

from .strategies import graphs


def chain(*widths: int) -> Graph:
    """Convolutions of these widths, then an image twice as large."""
    net = GraphBuilder()
    features = net.input
    for width in widths:
        features = net.conv(features, width)
    return net.image(net.conv(features, 12), 2)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5))
@settings(deadline=None)
def test_a_chain_holds_what_its_narrowest_tensor_holds(widths: list[int]) -> None:
    assert values_per_pixel(chain(*widths)) == min(IMAGE_VALUES, *widths)


@given(
    st.integers(1, 40), st.integers(1, 40),
    *(st.fractions(-5, 5, max_denominator=6) for _ in range(2)),
    st.fractions("1/6", 4, max_denominator=6),
)  # fmt: skip
@settings(deadline=None)
def test_windows_are_counted_in_whole_numbers(
    size: int, result: int, first: Fraction, last: Fraction, step: Fraction
) -> None:
    reads, rows = Reads(step, first, last), set(range(size))
    read = [
        set(range(floor(step * row + first), ceil(step * row + last) + 1)) for row in range(result)
    ]
    assert [set(reads.pixels_read_by(row)) for row in range(result)] == read
    if reads.every_output_reads_input(size, result):
        assert all(found & rows for found in read)


def test_tensors_side_by_side_add_up() -> None:
    net = GraphBuilder()
    both = net.concat(net.conv(net.input, 1), net.conv(net.input, 2))
    assert values_per_pixel(net.image(net.conv(both, 12), 2)) == 3


def test_a_residual_goes_around() -> None:
    net = GraphBuilder()
    narrow = net.conv(net.conv(net.input, 1), 3)
    whole = net.add(narrow, net.input)
    assert values_per_pixel(net.image(net.conv(whole, 12), 2)) == 3


@pytest.mark.parametrize(("width", "values"), [(8, 2.0), (12, 3.0), (16, 3.0)])
def test_at_half_the_size_a_tensor_holds_a_quarter(width: int, values: float) -> None:
    net = GraphBuilder()
    features = net.conv(net.add_node(SpaceToDepth(2), net.input), width)
    assert values_per_pixel(net.image(net.conv(features, 48), 4)) == values


@pytest.mark.parametrize("network", zoo.ZOO, ids=lambda network: network.name)
def test_published_networks_let_the_image_through(network: zoo.ZooNetwork) -> None:
    assert values_per_pixel(network.build(3).graph) == IMAGE_VALUES


@given(graphs())
@settings(max_examples=30, deadline=None)
def test_it_is_between_nothing_and_the_image(graph: Graph) -> None:
    side = graph.multiple * 8
    figures = infer(graph, InputSpec(side, side)).nodes
    smallest = min(prod(figures[node.name].shape) for node in graph.nodes) / side**2
    assert min(IMAGE_VALUES, smallest) <= values_per_pixel(graph) <= IMAGE_VALUES


@pytest.mark.parametrize(
    ("kernel", "stride", "holes"), [(5, 6, True), (6, 6, False), (9, 6, False), (2, 3, True)]
)
def test_kernels_smaller_than_their_stride_leave_gaps(
    kernel: int, stride: int, holes: bool
) -> None:
    net = GraphBuilder()
    small = net.add_node(SpaceToDepth(stride // 3), net.input) if stride > 3 else net.input
    pixels = net.add_node(TransposedConv(3, kernel, stride), net.conv(small, 8))
    assert has_gaps(net.graph) is holes
    filled = net.add(pixels, net.add_node(Resize(3), net.input))
    assert has_gaps(net.graph) is holes  # what fills them was not learned
    net.conv(filled, 3)
    assert not has_gaps(net.graph)


def test_a_border_without_weights_is_no_gap() -> None:
    net = GraphBuilder()
    inner = net.add_node(Conv(filters=3, kernel=3, padding=Padding.VALID), net.input)
    net.add(net.add_node(Pad(1), inner), net.input)
    assert not has_gaps(net.graph)


@pytest.mark.parametrize("network", zoo.ZOO, ids=lambda network: network.name)
def test_published_networks_have_no_gaps(network: zoo.ZooNetwork) -> None:
    assert not has_gaps(network.build(3).graph)
