"""How images are cut, against what the network really does with a single bright pixel."""

from __future__ import annotations

import numpy as np
import pytest

from nas.training.interpretation import Mode
from nas.training.network import Network
from nas.training.tensorflow_quietly import tf
from search_spaces import Graph, InputSpec, tiling_of, zoo
from search_spaces.spaces.anchor import sample

from .small_graphs import SMALL, channel_attention
from .trials import RandomTrial

SIDE = 36
_WHOLE_IMAGE = ("channel attention",)


def measured_margins(graph: Graph) -> tuple[int, int]:
    """LR rows at a border that change with what lies beyond it: behind it, and before it."""
    network, random = Network(graph), np.random.default_rng(0)
    # All positive and without bias, so that nothing cancels out and no ReLU is shut; small, so that
    # nothing is clipped.
    weights = network.snapshot()
    for name, value in weights.items():
        low, high = (0.0, 0.0) if name.endswith("bias") else (0.005, 0.01)
        weights[name] = random.uniform(low, high, value.shape).astype(np.float32)
    network.restore(weights)
    border = SIDE // 2 // graph.multiple * graph.multiple
    images = np.zeros((3, SIDE, SIDE, 3), np.float32)
    images[0, :border], images[1, border:] = 200, 200
    above, below, nothing = network(tf.constant(images), mode=Mode(quantize=False)).numpy()
    (rows_above, rows_below) = (
        np.flatnonzero((result != nothing).any(axis=(1, 2))) // graph.scale
        for result in (above, below)
    )
    return int(rows_above.max()) + 1 - border, border - int(rows_below.min())


def reckoned_margins(graph: Graph) -> tuple[int, int]:
    tiling = tiling_of(graph, InputSpec(SIDE, SIDE))
    assert tiling
    assert tiling.rows == tiling.columns
    return tiling.rows.before, tiling.rows.after


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
def test_networks_of_stride_1_are_exact(graph: Graph) -> None:
    assert reckoned_margins(graph) == measured_margins(graph)


@pytest.mark.parametrize("name", [name for name in SMALL if name not in _WHOLE_IMAGE])
def test_each_operator_is_covered(name: str) -> None:
    graph = SMALL[name]()
    for reckoned, measured in zip(reckoned_margins(graph), measured_margins(graph), strict=True):
        assert measured <= reckoned <= measured + 4


def test_a_mean_sees_the_whole_image() -> None:
    assert tiling_of(channel_attention(), InputSpec(SIDE, SIDE)) is None


@pytest.mark.parametrize("name", [name for name in SMALL if name not in _WHOLE_IMAGE])
def test_multiple_is_the_graphs(name: str) -> None:
    graph = SMALL[name]()
    tiling = tiling_of(graph, InputSpec(SIDE, SIDE))
    assert tiling
    assert tiling.rows.multiple == graph.multiple
