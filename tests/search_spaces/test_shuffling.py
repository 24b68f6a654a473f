"""Depth_to_space row by row: the same image, by other operators."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latency_models import WeightGranularity
from nas.data.pixels import Pixels
from nas.evaluation.inference import run_in_worker
from nas.quantization.conversion import convert
from nas.training.initialization import Array
from nas.training.interpretation import Interpreter, Mode
from nas.training.job import Weights
from nas.training.network import Network
from nas.training.tensorflow_quietly import tf
from search_spaces import (
    Candidate,
    Clip,
    Conv,
    Deployment,
    DepthToSpace,
    Graph,
    GraphBuilder,
    GraphError,
    InputSpec,
    NearestConv,
    PixelShuffle,
    PRelu,
    ShuffleRows,
    Slice,
    Tile,
    infer,
    lower,
    zoo,
)
from search_spaces.spaces.enumeration import samples
from search_spaces.spaces.loading import load_space
from search_spaces.transforms.folding import ResidualFold
from search_spaces.transforms.shuffling import shuffle_by_rows

from .conversion import random_weights

SPEC = InputSpec(10, 14)
ROWS = Deployment(pixel_shuffle=PixelShuffle.ROWS)


def kinds(graph: Graph) -> list[str]:
    return [operator.kind for operator in lower(graph, SPEC)]


def cut(graph: Graph) -> list[str]:
    return [node.name for node in graph.nodes if isinstance(node.operator, Slice)]


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("network", zoo.ZOO, ids=lambda network: network.name)
def test_published_networks_lose_their_depth_to_space_and_nothing_is_cut(
    network: zoo.ZooNetwork, scale: int
) -> None:
    candidate = network.build(scale)
    rows = candidate.shuffled(PixelShuffle.ROWS)
    assert "DEPTH_TO_SPACE" not in kinds(rows.deployed)
    assert not cut(rows.deployed)
    before, after = infer(candidate.deployed, SPEC), infer(rows.deployed, SPEC)
    # The image is repeated once for all rows, and channels that were cut away are not made.
    assert after.macs <= before.macs
    assert after.parameters <= before.parameters
    shuffled = "DEPTH_TO_SPACE" in kinds(candidate.deployed)
    assert ("RESHAPE" in kinds(rows.deployed)) == (rows.hash != candidate.hash) == shuffled


def int8_image(graph: Graph, weights: Weights) -> Pixels:
    network = Network(graph)
    network.restore(network.snapshot() | dict(weights))
    lr = np.random.default_rng(3).integers(0, 256, (1, SPEC.height, SPEC.width, 3), np.uint8)
    network.calibrate(tf.constant(lr, tf.float32))
    file = convert(graph, network.snapshot(), SPEC, WeightGranularity.CHANNEL)
    image = run_in_worker((str(hash(file)), 1), lr[0] ^ np.uint8(128), file)
    assert image is not None
    return image


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_files_make_the_same_bytes(scale: int) -> None:
    """Where no sum stands before the pixels: its summands have scales of their own, row by row."""
    graph = zoo.find("ESPCN").build(scale).merged.graph
    weights = random_weights(Network(graph), seed=scale)
    rewrite = shuffle_by_rows(graph)
    rows = int8_image(rewrite.graph, rewrite.carry(weights))
    assert np.array_equal(rows, int8_image(graph, weights))
    assert rows.std() > 1


def features_read_twice() -> Graph:
    net = GraphBuilder()
    values = net.conv(net.input, 12)
    pixels = net.add_node(DepthToSpace(block=2), values)
    other = net.add_node(DepthToSpace(block=2), net.conv(values, 12))
    net.add_node(Clip(), net.add(pixels, other))
    return net.graph


def test_what_others_read_too_is_cut_and_not_computed_again() -> None:
    graph = shuffle_by_rows(features_read_twice()).graph
    assert len(cut(graph)) == 2
    assert sum(isinstance(node.operator, Conv) for node in graph.nodes) == 3
    assert infer(graph, SPEC).macs == infer(features_read_twice(), SPEC).macs


@pytest.mark.parametrize(("repeat", "channels"), [(Tile, 6), (Tile, 3), (NearestConv, 3)])
def test_rows_that_begin_within_a_copy_of_repeated_channels_keep_their_order(
    repeat: type[Tile], channels: int
) -> None:
    net = GraphBuilder()
    copies = net.add_node(repeat(count=5), net.conv(net.input, channels))
    graph = net.image(net.add_node(Slice(begin=1, size=12), copies), 2)
    rewrite = shuffle_by_rows(graph)
    weights = random_weights(Network(graph), seed=1)
    assert np.array_equal(
        float_image(rewrite.graph, rewrite.carry(weights)), float_image(graph, weights)
    )


def float_image(graph: Graph, weights: Weights) -> Array:
    lr = np.random.default_rng(3).integers(0, 256, (1, SPEC.height, SPEC.width, 3))
    values = {name: tf.constant(value) for name, value in weights.items()}
    levels = Interpreter(graph)(values, tf.constant(lr, tf.float32), Mode(quantize=False))
    image: Array = levels.numpy()
    return image


def test_activations_and_slopes_go_with_their_channels() -> None:
    net = GraphBuilder()
    features = net.add_node(PRelu(), net.conv(net.input, 12))
    net.add_node(Clip(), net.add_node(DepthToSpace(block=2), features))
    rewrite = shuffle_by_rows(net.graph)
    (alpha,) = (node.name for node in net.graph.nodes if isinstance(node.operator, PRelu))
    weights = random_weights(Network(net.graph), seed=1)
    carried = rewrite.carry(weights)
    slopes = [value for name, value in carried.items() if name.endswith("/alpha")]
    assert np.array_equal(np.concatenate(slopes), weights[f"{alpha}/alpha"])


@given(st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_there_and_back_it_is_the_same_and_as_if_made_at_once(seed: int) -> None:
    ((_, candidate),) = samples(load_space("mobile"), 3, 1, seed)
    rows = candidate.shuffled(PixelShuffle.ROWS)
    assert rows.shuffled(PixelShuffle.OPERATOR) is candidate
    for known in (rows, pickle.loads(pickle.dumps(rows))):
        made = Candidate(known.graph, known.deployment)
        assert (known, known.hash, known.deployed) == (made, made.hash, made.deployed)
        assert known.merged.graph == made.merged.graph


def test_another_network_made_of_one_that_was_shuffled_shares_nothing_with_it() -> None:
    shuffled = Candidate(zoo.abpn(3)).shuffled(PixelShuffle.ROWS)
    deployment = replace(shuffled.deployment, fold_residual=ResidualFold.LAST)
    for changed in (
        replace(shuffled, deployment=deployment),
        replace(shuffled, graph=zoo.xlsr(3)),
    ):
        made = Candidate(changed.graph, changed.deployment)
        assert (changed.hash, changed.deployed) == (made.hash, made.deployed)
        assert changed.shuffled(PixelShuffle.OPERATOR).graph == changed.graph


def test_without_depth_to_space_nothing_changes() -> None:
    net = GraphBuilder()
    net.add_node(Clip(), net.conv(net.input, 3))
    graph = net.graph
    assert shuffle_by_rows(graph).graph is graph


def test_json_keeps_it_and_refuses_another_word() -> None:
    candidate = Candidate(zoo.abpn(3), ROWS)
    assert Candidate.from_json(candidate.to_json()) == candidate
    data = candidate.to_json()
    data["deployment"]["pixel_shuffle"] = "columns"
    with pytest.raises(GraphError, match="pixel_shuffle = 'columns'"):
        Candidate.from_json(data)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((4, 4, 6),), "two or more inputs"),
        (((4, 4, 6), (4, 4, 9)), "differ"),
        (((4, 4, 5), (4, 4, 5)), "no multiple of 2 rows"),
    ],
)
def test_rows_that_make_no_image_are_refused(
    shapes: tuple[tuple[int, int, int], ...], message: str
) -> None:
    with pytest.raises(GraphError, match=message):
        ShuffleRows().shape(shapes)
