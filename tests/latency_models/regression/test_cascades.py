"""What the features of a network of operators know of a compiler's memory."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency_models.sources.regression.cascades import SRAM, Cascades
from latency_models.sources.regression.operator_table import OperatorTable
from search_spaces import (
    Candidate,
    GraphBuilder,
    GraphError,
    InputSpec,
    LoweredOperator,
    PixelShuffle,
    lower,
)
from search_spaces.spaces.enumeration import RandomTrial
from search_spaces.spaces.loading import load_space

WIDE = InputSpec(360, 640)


def table_of(
    net: GraphBuilder,
    source: str,
    spec: InputSpec = WIDE,
    shuffle: PixelShuffle = PixelShuffle.ROWS,
) -> OperatorTable:
    """Of the image made of ``source``, x3."""
    graph = Candidate(net.image(source, 3)).shuffled(shuffle).deployed
    return OperatorTable.of([lower(graph, spec)])


def chain(net: GraphBuilder, channels: int, length: int) -> str:
    """Convolutions one after another."""
    source = net.input
    for _ in range(length):
        source = net.conv(source, channels, relu=True)
    return source


def lengths(table: OperatorTable, *, fuses_additions: bool = False) -> list[int]:
    found = Cascades.of(table, fuses_additions=fuses_additions)
    return [int(length) for length in found.length]


def test_convolutions_run_by_turns_until_their_rows_fill_the_sram() -> None:
    net = GraphBuilder()
    # Six rows of 640 x 16 bytes each: 60 KB a buffer, of which 384 KB hold six.
    table = table_of(net, net.conv(chain(net, 16, 9), 27))
    assert lengths(table)[:9] == [7] * 7 + [2] * 2
    net = GraphBuilder()
    assert lengths(table_of(net, net.conv(chain(net, 64, 4), 27)))[:4] == [2] * 4


def test_what_fits_whole_does_not_run_by_turns() -> None:
    net = GraphBuilder()
    table = table_of(net, net.conv(chain(net, 16, 5), 27), InputSpec(36, 64))
    assert set(lengths(table)) == {1}


def test_what_several_read_is_written_whole() -> None:
    net = GraphBuilder()
    first = net.conv(net.input, 16, relu=True)
    second = net.conv(first, 16, relu=True)
    third = net.conv(second, 16)
    added = net.add(first, third)
    table = table_of(net, net.conv(added, 27))
    assert lengths(table)[:4] == [1, 2, 2, 1]
    assert lengths(table, fuses_additions=True)[:4] == [1, 1, 1, 1]


def test_parts_that_begin_inside_a_block_make_the_whole_linear() -> None:
    def linear_in(width: int) -> list[float]:
        net = GraphBuilder()
        parts = [net.conv(net.conv(net.input, 16), width) for _ in range(2)]
        joined = net.concat(*parts)
        table = table_of(net, net.conv(net.conv(joined, 16), 27))
        reader = int(np.flatnonzero(table.kind == "CONCATENATION")[0]) + 1
        return [*table.linear_out[[1, 3]].tolist(), table.linear_in[reader].item()]

    assert linear_in(16) == [0, 0, 0]
    assert linear_in(12) == [1, 1, 1]


def test_the_rows_of_an_image_are_linear() -> None:
    net = GraphBuilder()
    source = net.conv(net.conv(net.input, 16), 27)
    for shuffle in PixelShuffle:
        table = table_of(net, source, shuffle=shuffle)
        convolutions = table.kind == "CONV_2D"
        assert table.linear_in[0] == 1
        assert table.linear_out[0] == 0
        assert table.linear_out[convolutions][1:].all()


def drawn(seed: int) -> tuple[LoweredOperator, ...]:
    """A network of ``mobile``, at any size; nothing if the space refuses it."""
    chance = random.Random(seed)
    spec = InputSpec(chance.randrange(32, 400, 4), chance.randrange(32, 700, 4))
    try:
        candidate = load_space("mobile").draw(RandomTrial(chance), 3)
        return lower(candidate.shuffled(PixelShuffle.ROWS).deployed, spec)
    except GraphError:
        return ()


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=4), st.booleans())
def test_cascades_are_parts_of_networks_that_fit(seeds: list[int], additions: bool) -> None:
    networks = [operators for operators in map(drawn, seeds) if operators]
    if not networks:
        return
    table = OperatorTable.of(networks)
    found = Cascades.of(table, fuses_additions=additions)
    assert found.first.sum() == found.last.sum()
    assert found.first[np.diff(table.network, prepend=-1) != 0].all()
    assert (found.held <= SRAM).all()
    assert (found.held[found.length <= 1] == 0).all()
    assert (found.rows[found.length <= 1] == 0).all()
    alone = [Cascades.of(OperatorTable.of([n]), fuses_additions=additions) for n in networks]
    assert found.length == pytest.approx(np.concatenate([one.length for one in alone]))
