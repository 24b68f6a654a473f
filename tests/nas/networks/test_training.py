"""Training through its public interface: short, but with the real optimiser and rounding."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latency_models import WeightGranularity
from nas.choices import Loss, Quantization
from nas.images.data import EMBEDDED, ImageSet, load_data, load_validation
from nas.images.quality import evaluate
from nas.networks.calibration import largest_values
from nas.networks.initialisation import initial_parameters
from nas.networks.interpretation import Mode
from nas.networks.lesson import Progress, Trained, Weights
from nas.networks.network import Network, image_function
from nas.networks.recipe import Recipe
from nas.networks.training import Checkpoint, Trainer
from search_spaces import Candidate, CandidateError, Deployment, Graph, ResidualFold, anchor, zoo
from search_spaces.blocks import BlockKind, Residual, Style, block, image_of
from search_spaces.builder import GraphBuilder

CHANNEL = WeightGranularity.CHANNEL
SHORT = Recipe(steps=40, batch=4, patch=16)


@pytest.fixture(scope="module")
def images() -> ImageSet:
    return load_data(EMBEDDED, 3).training


def small(residual: str = "anchor") -> Graph:
    return anchor.build([(8, 1), (8, 1)], 3, residual=residual, tail="single")


def trainer(graph: Graph, images: ImageSet, recipe: Recipe = SHORT, seed: int = 1) -> Trainer:
    return Trainer(Candidate(graph), images, recipe, CHANNEL, seed)


def same(a: Weights, b: Weights) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize(
    "graph",
    [
        zoo.abpn(3),
        zoo.xlsr(3),
        zoo.xlsr(2),
        anchor.build([(24, 4), (40, 2)], 3, residual="none", tail="double"),
        anchor.build([(24, 4), (40, 2)], 4, residual="feature", tail="single"),
        anchor.build([(64, 1)] * 8, 2, residual="feature", tail="double"),
        anchor.build([(8, 4)] * 8, 3, residual="none", tail="double"),
        anchor.build([(64, 1), (8, 4), (64, 4)], 3, residual="none", tail="single"),
    ],
    ids=[
        "abpn",
        "xlsr",
        "xlsr-x2",
        "plain",
        "projected-feature",
        "widest-deepest",
        "narrowest-deepest",
        "wide-to-narrow-groups",
    ],
)
def test_every_network_starts_as_nearest_neighbour_enlargement(graph: Graph) -> None:
    lr = np.random.default_rng(0).integers(0, 256, (9, 11, 3), dtype=np.uint8)
    weights = Network(graph, seed=3).snapshot()
    result = image_function(graph, weights, Mode(quantise=False))(lr)
    assert np.array_equal(result, lr.repeat(graph.scale, 0).repeat(graph.scale, 1))


@given(
    kind=st.sampled_from(BlockKind),
    depth=st.integers(1, 8),
    width=st.sampled_from([16, 40]),
    residual=st.sampled_from([Residual.CONV, Residual.NEAREST]),
)
@settings(max_examples=30, deadline=None)
def test_features_beside_the_image_neither_fade_nor_grow(
    kind: BlockKind, depth: int, width: int, residual: Residual
) -> None:
    """Halved by each of eight convolutions, they would never learn anything."""
    net, style = GraphBuilder(), Style()
    first = features = net.conv(net.input, width, relu=True)
    for _ in range(depth):
        features = block(net, style, kind, features, width)
    graph = image_of(net, style, features, 3, residual=residual)
    crops = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)
    largest = largest_values(graph, initial_parameters(graph, 1), crops)
    assert 0.05 < largest[features].max() / largest[first].max() < 20


@pytest.mark.parametrize("network", zoo.ZOO, ids=lambda network: network.name)
@pytest.mark.parametrize("scale", [2, 3])
def test_published_networks_start_so_too(network: zoo.ZooNetwork, scale: int) -> None:
    graph = network.build(scale).graph
    lr = np.random.default_rng(0).integers(0, 256, (12, 10, 3), dtype=np.uint8)
    weights = Network(graph, seed=3).snapshot()
    result = image_function(graph, weights, Mode(quantise=False))(lr)
    expected = lr.repeat(scale, 0).repeat(scale, 1)
    bent = 12 if network.name == "ESPCN" else 0  # tanh
    assert np.abs(result.astype(int) - expected).max() <= bent


def test_initial_weights_are_those_of_their_seed() -> None:
    assert same(initial_parameters(zoo.xlsr(3), 5), initial_parameters(zoo.xlsr(3), 5))
    assert not same(initial_parameters(zoo.xlsr(3), 5), initial_parameters(zoo.xlsr(3), 6))


def test_training_improves_on_where_it_began(images: ImageSet) -> None:
    graph, recipe = small(), Recipe(steps=300, batch=8, patch=16)
    trained = trainer(graph, images, recipe).run()
    validation = ImageSet(3, load_validation(EMBEDDED, 3).pairs[:1])
    start = Network(graph, 1).snapshot()
    before = evaluate(image_function(graph, start, Mode(quantise=False)), validation)
    after = evaluate(image_function(graph, trained.float32, Mode(quantise=False)), validation)
    rounded = evaluate(image_function(graph, trained.int8, Mode(quantise=True)), validation)
    assert after.psnr_db > before.psnr_db + 0.3
    assert after.psnr_db - rounded.psnr_db < 0.1


def test_a_training_repeats_itself(images: ImageSet) -> None:
    first, second = (trainer(small(), images).run() for _ in range(2))
    assert same(first.int8, second.int8)
    assert same(first.float32, second.float32)
    other = trainer(small(), images, seed=2).run()
    assert not same(first.int8, other.int8)


FOLDED = Candidate(
    anchor.build([(8, 1), (8, 1)], 3, residual="anchor", tail="single"),
    Deployment(ResidualFold.SUM, fold_clip=True, channel_step=4),
)


@pytest.fixture(scope="module", params=[Candidate(small()), FOLDED], ids=["plain", "folded"])
def undisturbed(images: ImageSet, request: pytest.FixtureRequest) -> tuple[Candidate, Trained]:
    """A candidate, and what a training of it gives."""
    return request.param, Trainer(request.param, images, SHORT, CHANNEL, 1).run()


@pytest.mark.parametrize("stop_after", [10, 33, 45])
def test_a_training_goes_on_from_any_checkpoint_as_if_nothing_had_happened(
    images: ImageSet, undisturbed: tuple[Candidate, Trained], stop_after: int
) -> None:
    candidate, whole = undisturbed
    assert whole.int8.keys() == Network(candidate.deployed).snapshot().keys()
    taken: list[Checkpoint] = []
    steps = 0

    class Stopped(Exception):
        pass

    def stop(progress: Progress) -> None:
        nonlocal steps
        steps += 1
        if steps == stop_after:
            taken.append(broken.capture())
            raise Stopped

    broken = Trainer(candidate, images, SHORT, CHANNEL, 1, stop)
    with pytest.raises(Stopped):
        broken.run()
    resumed = Trainer(candidate, images, SHORT, CHANNEL, 1)
    resumed.resume(taken[0])
    result = resumed.run()
    assert same(result.int8, whole.int8)
    assert same(result.float32, whole.float32)
    assert result.gradient_seconds > taken[0].gradient_seconds > 0


def test_what_a_rewrite_put_is_not_trained(images: ImageSet) -> None:
    started = Trainer(FOLDED, images, SHORT, CHANNEL, 1)
    learned = FOLDED.learned(started.network.snapshot())
    weights = started.run().float32  # rounding may move them, with what lies beside them
    put = [weights[name][where == 0] for name, where in learned.items() if name in weights]
    assert set(np.unique(np.concatenate(put))) == {-1.0, 0.0, 1.0}


@pytest.mark.parametrize("name", ["PRPSR", "ECBSR-M4C16", "ETDS-T", "FSRCNN", "ESPCN"])
@pytest.mark.parametrize("quantization", Quantization)
def test_every_kind_of_network_trains(
    images: ImageSet, name: str, quantization: Quantization
) -> None:
    candidate = zoo.find(name).build(3)
    recipe = Recipe(steps=40, batch=4, patch=16, quantization=quantization)
    trained = Trainer(candidate, images, recipe, CHANNEL, 1).run()
    validation = ImageSet(3, load_validation(EMBEDDED, 3).pairs[:1])
    graph = candidate.deployed
    after = evaluate(image_function(graph, trained.int8, Mode(quantise=True)), validation)
    assert after.psnr_db > 20


def test_charbonnier_is_above_the_mean_absolute_error(images: ImageSet) -> None:
    losses = []
    for loss in (Loss.L1, Loss.CHARBONNIER):
        recipe = Recipe(steps=40, batch=4, patch=16, loss=loss)
        begun = Trainer(Candidate(small()), images, recipe, CHANNEL, 1)
        losses.append(float(begun.step(quantise=False)(*begun.sampler.batch_of(0, 0))))
    assert losses[0] < losses[1] < losses[0] + 0.3


def test_memory_of_a_training_is_given_back(images: ImageSet) -> None:
    """Traced steps are the largest part of it, and Keras' own optimiser would keep them alive."""
    from tensorflow.python.framework.func_graph import FuncGraph

    trainer(small(), images).run()
    gc.collect()
    assert not [thing for thing in gc.get_objects() if isinstance(thing, FuncGraph)]


def test_quantisation_after_training_only_rounds_the_weights(images: ImageSet) -> None:
    recipe = Recipe(steps=30, batch=4, patch=16, quantization=Quantization.PTQ)
    trained = trainer(small(), images, recipe).run()
    parameters = initial_parameters(small(), 1)
    for name in parameters:
        before, after = trained.float32[name], trained.int8[name]
        assert np.abs(after - before).max() <= 5 / 127 * max(np.abs(before).max(), 0.1)
    ranges = [name for name in trained.int8 if name not in parameters]
    assert any(not np.array_equal(trained.int8[r], trained.float32[r]) for r in ranges)


def test_a_loss_that_is_no_number_ends_the_candidate(images: ImageSet) -> None:
    recipe = Recipe(steps=40, batch=4, patch=16, learning_rate=1e30)
    with pytest.raises(CandidateError, match=r"the loss is (nan|inf)"):
        trainer(small(), images, recipe).run()


def test_a_dead_network_is_called_dead(images: ImageSet) -> None:
    dead = trainer(small(), images)
    state = dead.network.snapshot()
    first = next(name for name in state if name.endswith("/bias"))
    state[first] = np.full_like(state[first], -1e3)  # no ReLU of the stem fires again
    checkpoint = dead.capture()
    dead.resume(Checkpoint(checkpoint.phase, 0, checkpoint.current | state))
    with pytest.raises(CandidateError, match="no gradient reaches"):
        dead.run()


def test_the_schedule_holds_both_phases_and_the_twin(images: ImageSet) -> None:
    seen: list[Progress] = []
    Trainer(Candidate(small()), images, SHORT, CHANNEL, 1, seen.append).run()
    phases = [progress.phase for progress in seen]
    assert phases == ["float"] * 28 + ["int8"] * 12 + ["twin"] * 12
    assert seen[-1].step == seen[-13].step == 40
