"""Rewritten networks compute what they computed before, with random and with trained weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latency_models import WeightGranularity
from nas.data.images import EMBEDDED, load_data
from nas.data.pixels import Pixels
from nas.quantization.calibration import largest_values
from nas.training.initialization import Array
from nas.training.interpretation import Interpreter, Mode
from nas.training.job import TrainingJob, Weights
from nas.training.network import Network
from nas.training.recipe import Recipe
from nas.training.tensorflow_quietly import tf
from nas.training.trainer import Trainer
from search_spaces import (
    INPUT,
    Branches,
    Candidate,
    Clip,
    Conv,
    Deployment,
    DepthToSpace,
    Graph,
    GraphBuilder,
    GraphError,
    InputSpec,
    Node,
    PixelShuffle,
    Resize,
    infer,
    lower,
    zoo,
)
from search_spaces.spaces.loading import load_space
from search_spaces.transforms.folding import ResidualFold, fold_clip, fold_residual, separate_sum

from .conversion import random_weights
from .trials import RandomTrial

#: Of 255 levels; the two differ in the order of float32 sums only.
LARGEST_DIFFERENCE = 1e-3 * 255


def plain_skip(scale: int) -> Graph:
    """A conv added to what it reads, and the image added to the last one."""
    net = GraphBuilder()
    anchor = net.concat(*[net.input] * scale**2)
    features = net.conv(net.input, 16, relu=True)
    features = net.add(features, net.conv(features, 16))
    return net.image(net.add(net.conv(features, 3 * scale**2), anchor), scale)


FOLDABLE: dict[str, Callable[[int], Graph]] = {
    "anchor by concat": zoo.abpn,
    "a conv added to what it reads": plain_skip,
    "anchor by a fixed conv": zoo.ncnet,
    "nearest, residual blocks": zoo.fastsr,
}
LAST, SUM = ResidualFold.LAST, ResidualFold.SUM
WHOLE = Deployment(LAST, fold_clip=True, channel_step=8)
APART = Deployment(SUM, fold_clip=True, channel_step=8)


def levels(graph: Graph, weights: Weights, seed: int = 0) -> Array:
    """What the float network makes of a random image."""
    lr = tf.constant(random_image(seed), tf.float32)
    values = {name: tf.constant(value) for name, value in weights.items()}
    result: Array = Interpreter(graph)(values, lr, Mode(quantize=False)).numpy()
    return result


def random_image(seed: int) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (1, 18, 22, 3), np.uint8)


def deployed_weights(candidate: Candidate, weights: Weights, seed: int = 0) -> dict[str, Array]:
    """Equalised on the very image that is looked at: none of its features is held."""

    def largest(graph: Graph, values: Weights) -> Weights:
        return largest_values(graph, values, random_image(seed))

    return Network(candidate.deployed).snapshot() | candidate.deploy(weights, largest)


def largest_difference(candidate: Candidate, weights: Weights) -> float:
    before = levels(candidate.graph, weights)
    assert before.std() > 1  # not merely black or white
    after = levels(candidate.deployed, deployed_weights(candidate, weights))
    return float(np.abs(before - after).max())


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("name", FOLDABLE)
@pytest.mark.parametrize(
    "deployment",
    [
        Deployment(LAST),
        Deployment(SUM),
        Deployment(LAST, True),
        Deployment(channel_step=16),
        Deployment(pixel_shuffle=PixelShuffle.ROWS),
        Deployment(SUM, True, 8, PixelShuffle.ROWS),
        WHOLE,
        APART,
    ],
)
def test_random_weights(name: str, deployment: Deployment, scale: int) -> None:
    candidate = Candidate(FOLDABLE[name](scale), deployment)
    weights = random_weights(Network(candidate.graph), seed=scale)
    assert largest_difference(candidate, weights) < LARGEST_DIFFERENCE


@pytest.mark.parametrize("pixel_shuffle", PixelShuffle)
def test_a_name_may_begin_with_another_and_a_slash(pixel_shuffle: PixelShuffle) -> None:
    graph = Graph(
        (
            Node("x", Conv(filters=12, branches=Branches.EXPANDED), (INPUT,)),
            Node("x/y", Conv(filters=12, branches=Branches.EXPANDED), ("x",)),
            Node("x/y/z", Conv(filters=12), ("x/y",)),
            Node("pixels", DepthToSpace(block=2), ("x/y/z",)),
            Node("image", Clip(), ("pixels",)),
        )
    )
    candidate = Candidate(graph, Deployment(channel_step=8, pixel_shuffle=pixel_shuffle))
    weights = random_weights(Network(graph), seed=3)
    assert largest_difference(candidate, weights) < LARGEST_DIFFERENCE


@pytest.mark.parametrize("name", FOLDABLE)
def test_features_keep_to_the_range_of_the_image_that_is_carried_beside_them(name: str) -> None:
    candidate = Candidate(FOLDABLE[name](3), Deployment(LAST))
    weights = deployed_weights(candidate, random_weights(Network(candidate.graph), seed=2))
    largest = largest_values(candidate.deployed, weights, random_image(0))
    for node in candidate.deployed.nodes:
        if isinstance(node.operator, Conv) and node.inputs != (INPUT,):
            assert largest[node.inputs[0]].max() < 1.001, node.name


@settings(max_examples=25)
@given(
    name=st.sampled_from(["mobile", "plain", "reparam", "residual"]),
    seed=st.integers(0, 10**6),
    scale=st.integers(2, 4),
    shuffle=st.sampled_from(PixelShuffle),
)
def test_whatever_a_space_deploys(name: str, seed: int, scale: int, shuffle: PixelShuffle) -> None:
    space = replace(load_space(name), pixel_shuffle=shuffle)
    candidate = space.draw(RandomTrial(seed), scale)
    weights = random_weights(Network(candidate.graph), seed)
    before = levels(candidate.graph, weights)
    after = levels(candidate.deployed, deployed_weights(candidate, weights))
    assert np.abs(before - after).max() < LARGEST_DIFFERENCE


@pytest.mark.parametrize(
    "candidate",
    [Candidate(zoo.abpn(3), WHOLE), zoo.find("ECBSR-M4C16").build(3), zoo.find("PRPSR").build(2)],
    ids=["folded ABPN", "ECBSR", "PRPSR"],
)
def test_trained_weights(candidate: Candidate) -> None:
    images = load_data(EMBEDDED, candidate.graph.scale).training
    as_trained = Candidate(candidate.graph)
    recipe = Recipe(steps=40, batch=4, patch=16)
    tile = InputSpec(90, 160)
    trainer = Trainer(TrainingJob(as_trained, recipe, WeightGranularity.CHANNEL, 0, tile), images)
    for index in range(20):
        trainer.step(*trainer.sampler.batch_of(0, index))
    weights = trainer.network.snapshot()
    assert largest_difference(candidate, weights) < LARGEST_DIFFERENCE


@pytest.mark.parametrize("branches", [Branches.POINTWISE, Branches.EXPANDED])
@pytest.mark.parametrize("filters", [6, 9])
def test_branches_are_what_they_say(branches: Branches, filters: int) -> None:
    """The same values in a graph that has every branch as operators of its own."""
    net = GraphBuilder()
    features = net.conv(net.input, 6)
    merged = net.conv(features, filters, branches=branches)
    together = Candidate(net.image(net.conv(merged, 12), 2))
    weights = random_weights(Network(together.graph), seed=3)

    net = GraphBuilder()
    features = net.conv(net.input, 6)
    own = net.conv(features, filters)
    linear = {"bias": False, "filters": 2 * filters}
    if branches is Branches.POINTWISE:
        beside = net.add_node(Conv(kernel=1, bias=False, filters=filters), features)
        variables = {"pointwise": beside}
    else:
        expand = net.add_node(Conv(kernel=1, **linear), features)  # type: ignore[arg-type]
        middle = net.add_node(Conv(**linear), expand)  # type: ignore[arg-type]
        beside = net.add_node(Conv(kernel=1, bias=False, filters=filters), middle)
        variables = {"expand": expand, "middle": middle, "reduce": beside}
    total = net.add(own, beside)
    total = net.add(total, features) if filters == 6 else total
    apart = net.image(net.conv(total, 12), 2)

    first, second, last = [n.name for n in together.graph.nodes if isinstance(n.operator, Conv)]
    values = {f"conv_1/{key}": weights[f"{first}/{key}"] for key in ("kernel", "bias")}
    values |= {f"{own}/{key}": weights[f"{second}/{key}"] for key in ("kernel", "bias")}
    values |= {f"{name}/kernel": weights[f"{second}/{key}"] for key, name in variables.items()}
    end = [n.name for n in apart.nodes if isinstance(n.operator, Conv)][-1]
    values |= {f"{end}/{key}": weights[f"{last}/{key}"] for key in ("kernel", "bias")}
    difference = levels(together.graph, weights) - levels(apart, values)
    assert np.abs(difference).max() < LARGEST_DIFFERENCE
    assert infer(together.deployed, InputSpec(8, 8)).parameters < sum(
        map(np.size, weights.values())
    )


def test_a_folded_network_is_convolutions_and_one_depth_to_space() -> None:
    kinds = [k.kind for k in lower(Candidate(zoo.abpn(3), WHOLE).deployed, InputSpec(36, 64))]
    assert kinds == ["CONV_2D"] * 8 + ["STRIDED_SLICE", "DEPTH_TO_SPACE"]
    narrow = Deployment(LAST, fold_clip=True)
    kinds = [k.kind for k in lower(Candidate(zoo.abpn(3), narrow).deployed, InputSpec(36, 64))]
    assert kinds == ["CONV_2D"] * 8 + ["DEPTH_TO_SPACE"]
    apart = Candidate(zoo.abpn(3), Deployment(SUM)).deployed
    kinds = [k.kind for k in lower(apart, InputSpec(36, 64))]
    assert kinds == ["CONV_2D"] * 8 + ["DEPTH_TO_SPACE"]
    last, total = [n.operator for n in apart.nodes if isinstance(n.operator, Conv)][-2:]
    assert (last.filters, total.filters, total.kernel) == (30, 27, 1)


@pytest.mark.parametrize(
    ("graph", "place"),
    [(zoo.xlsr(3), "does not add"), (zoo.tinysrnet(3), "does not add"), (zoo.prpsr(3), "conv_7")],
)
def test_what_has_no_image_residual_is_not_folded(graph: Graph, place: str) -> None:
    for rewrite in (fold_residual, lambda graph: separate_sum(graph).then(fold_residual)):
        with pytest.raises(GraphError, match=place):
            rewrite(graph)


@pytest.mark.parametrize("is_before_shuffle", [False, True])
def test_an_image_added_to_a_single_channel_is_not_folded(is_before_shuffle: bool) -> None:
    net = GraphBuilder()
    if is_before_shuffle:
        total = net.add(net.conv(net.input, 1), net.concat(*[net.input] * 9))
        graph = net.image(total, 3)
    else:
        pixels = net.add_node(DepthToSpace(block=3), net.conv(net.input, 9))
        net.add_node(Clip(), net.add(pixels, net.add_node(Resize(factor=3), net.input)))
        graph = net.graph
    with pytest.raises(GraphError, match="to a convolution with as many channels"):
        fold_residual(graph)


def test_an_image_is_not_led_through_what_would_change_it() -> None:
    net = GraphBuilder()
    features = net.conv(net.conv(net.input, 8, relu=True), 8, groups=2, relu=True)
    graph = net.image(net.add(net.conv(features, 12), net.concat(*[net.input] * 4)), 2)
    with pytest.raises(GraphError, match=r"'conv_2' .*would have to carry the image"):
        fold_residual(graph)


def test_only_the_last_clip_is_folded() -> None:
    with pytest.raises(GraphError, match="the clip cannot be folded"):
        fold_clip(zoo.abpn(3))
    net = GraphBuilder()
    net.add_node(DepthToSpace(block=2), net.conv(net.input, 12))
    with pytest.raises(GraphError, match="the clip cannot be folded"):
        fold_clip(net.graph)


@pytest.mark.parametrize("deployment", [WHOLE, APART], ids=["last", "sum"])
def test_what_a_rewrite_put_is_told_from_what_was_trained(deployment: Deployment) -> None:
    candidate = Candidate(zoo.abpn(3), deployment)
    weights = random_weights(Network(candidate.graph), seed=1)
    learned = candidate.learned(weights)
    deployed = deployed_weights(candidate, weights)
    assert all(w.shape == np.shape(deployed[name]) for name, w in learned.items())
    trained = sum(w.size for name, w in weights.items() if not name.startswith("range/"))
    assert sum(w.sum() for n, w in learned.items() if not n.startswith("range/")) == trained
    put = np.concatenate([deployed[name][where == 0] for name, where in learned.items()])
    assert set(np.unique(put)) <= {-1.0, 0.0, 1.0}


def test_nothing_to_do_is_the_same_graph() -> None:
    graph = zoo.abpn(3)
    assert Candidate(graph).deployed is graph
    assert Candidate(graph).hash == graph.hash
    hashes = {Candidate(graph, Deployment(fold)).hash for fold in ResidualFold}
    assert graph.hash in hashes
    assert len(hashes) == 3


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"graph": zoo.abpn(3).to_json(), "deployment": {"fold": True}}, "fold is not among"),
        ({"graph": zoo.abpn(3).to_json(), "deployment": {"channel_step": "4"}}, "channel_step"),
        ({"graph": zoo.abpn(3).to_json(), "deployment": {"fold_residual": True}}, "fold_residual"),
        ({"graph": zoo.abpn(3).to_json(), "deployment": {"channel_step": 99}}, "99"),
        ({"graph": zoo.abpn(3).to_json(), "deployment": []}, "deployment is list"),
        ({"deployment": {}}, "a graph is a list"),
    ],
)
def test_a_damaged_candidate_is_refused(data: object, reason: str) -> None:
    with pytest.raises(GraphError, match=reason):
        Candidate.from_json(data)
