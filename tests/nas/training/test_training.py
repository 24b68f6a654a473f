"""Training through its public interface: short, but with the real optimizer and rounding."""

from __future__ import annotations

import gc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latency_models import WeightGranularity
from nas.choices import Loss
from nas.data.images import EMBEDDED, Data, ImageSet, load_data
from nas.quality.image_quality import evaluate
from nas.quantization.calibration import largest_values, quantize_afterwards
from nas.training.initialization import initial_parameters
from nas.training.interpretation import Mode
from nas.training.job import DivergedError, Phase, Progress, TrainingJob, Weights
from nas.training.network import Network, image_function
from nas.training.recipe import Recipe
from nas.training.trainer import Checkpoint, TrainedPhases, Trainer, train_phases
from nas.training.training_run import run_int8_training, run_training
from search_spaces import (
    Activation,
    Candidate,
    CandidateError,
    Conv,
    Deployment,
    Graph,
    InputSpec,
    ResidualFold,
    SpaceToDepth,
    Tanh,
    TransposedConv,
    zoo,
)
from search_spaces.graph.builder import GraphBuilder
from search_spaces.spaces import anchor
from search_spaces.spaces.blocks import BlockKind, Residual, Style, block, image_of

CHANNEL, TENSOR = WeightGranularity.CHANNEL, WeightGranularity.TENSOR
SHORT = Recipe(steps=40, batch=4, patch=16)
ALL_PHASES = (Phase.FLOAT, Phase.INT8, Phase.TWIN)


@pytest.fixture(scope="module")
def data() -> Data:
    embedded = load_data(EMBEDDED, 3)
    return Data("short", embedded.training, ImageSet(3, embedded.validation.pairs[:1]))


@pytest.fixture(scope="module")
def images(data: Data) -> ImageSet:
    return data.training


def small(residual: str = "anchor") -> Graph:
    return anchor.build([(8, 1), (8, 1)], 3, residual=residual, tail="single")


def job(candidate: Candidate | Graph, recipe: Recipe = SHORT, seed: int = 1) -> TrainingJob:
    whole = candidate if isinstance(candidate, Candidate) else Candidate(candidate)
    return TrainingJob(whole, recipe, CHANNEL, seed, InputSpec(90, 160))


def quiet(progress: Progress) -> None:
    pass


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
    result = image_function(graph, weights, Mode(quantize=False))(lr)
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
    result = image_function(graph, weights, Mode(quantize=False))(lr)
    expected = lr.repeat(scale, 0).repeat(scale, 1)
    bent = 12 if network.name == "ESPCN" else 0  # tanh
    assert np.abs(result.astype(int) - expected).max() <= bent


PLAIN = Conv(filters=8, kernel=3)


def tanhs(count: int, conv: Conv = PLAIN) -> Graph:
    """A chain of convolutions, each with a tanh behind it."""
    net = GraphBuilder()
    features = net.input
    for _ in range(count):
        features = net.add_node(Tanh(), net.add_node(conv, features))
    return image_of(net, Style(), features, 3)


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize(
    ("conv", "bent"),
    [
        (PLAIN, 12),
        (replace(PLAIN, activation=Activation.RELU), 24),  # nothing of the image is below 0
        (replace(PLAIN, bias=False), 24),
    ],
    ids=["plain", "relu", "no bias"],
)
def test_networks_with_tanhs_start_nearly_so(conv: Conv, bent: int, count: int) -> None:
    graph = tanhs(count, conv)
    lr = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    weights = Network(graph, seed=1).snapshot()
    result = image_function(graph, weights, Mode(quantize=False))(lr)
    assert np.abs(result.astype(int) - lr.repeat(3, 0).repeat(3, 1)).max() <= bent


@pytest.mark.parametrize("count", [1, 2, 4])
def test_an_image_led_through_tanhs_keeps_its_levels(count: int) -> None:
    """A tanh has 256 INT8 levels for -1..1, whatever part of it the image takes."""
    graph = tanhs(count)
    crops = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), dtype=np.uint8)
    weights = Network(graph, seed=1).snapshot()
    rounded = quantize_afterwards(graph, weights, CHANNEL, crops)
    result = image_function(graph, weights, Mode(quantize=False))(crops[0]).astype(int)
    integer = image_function(graph, rounded, Mode(quantize=True))(crops[0])
    assert np.abs(integer - result).mean() < 1.5


def test_a_transposed_convolution_with_too_few_channels_for_the_image_starts_at_random() -> None:
    net = GraphBuilder()
    enlarged = net.add_node(TransposedConv(filters=2, kernel=4, stride=2), net.input)
    features = net.add_node(SpaceToDepth(block=2), enlarged)
    kernel = initial_parameters(net.image(net.conv(features, 12), 2), 0)[f"{enlarged}/kernel"]
    assert np.count_nonzero(kernel) == kernel.size


def test_initial_weights_are_those_of_their_seed() -> None:
    assert same(initial_parameters(zoo.xlsr(3), 5), initial_parameters(zoo.xlsr(3), 5))
    assert not same(initial_parameters(zoo.xlsr(3), 5), initial_parameters(zoo.xlsr(3), 6))


def test_training_improves_on_where_it_began(data: Data) -> None:
    graph, recipe = small(), Recipe(steps=300, batch=8, patch=16)
    result = run_training(job(graph, recipe), data, quiet)
    start = Network(graph, 1).snapshot()
    before = evaluate(image_function(graph, start, Mode(quantize=False)), data.validation)
    rounded = evaluate(image_function(graph, result.int8, Mode(quantize=True)), data.validation)
    assert result.float_quality.psnr_db > before.psnr_db + 0.3
    assert result.float_quality.psnr_db - rounded.psnr_db < 0.1


def test_a_training_repeats_itself(data: Data) -> None:
    first, second = (run_training(job(small()), data, quiet) for _ in range(2))
    assert same(first.int8, second.int8)
    assert same(first.float32, second.float32)
    other = run_training(job(small(), seed=2), data, quiet)
    assert not same(first.int8, other.int8)


FOLDED = Candidate(
    anchor.build([(8, 1), (8, 1)], 3, residual="anchor", tail="single"),
    Deployment(ResidualFold.SUM, fold_clip=True, channel_step=4),
)


def begin_nothing(trainer: Trainer) -> None:
    pass


@pytest.fixture(scope="module", params=[Candidate(small()), FOLDED], ids=["plain", "folded"])
def undisturbed(
    images: ImageSet, request: pytest.FixtureRequest
) -> tuple[Candidate, TrainedPhases]:
    """A candidate, and what a training of it gives."""
    whole = train_phases(job(request.param), images, ALL_PHASES, begin_nothing, quiet)
    return request.param, whole


@pytest.mark.parametrize("stop_after", [10, 43, 60])
def test_a_training_goes_on_from_any_checkpoint_as_if_nothing_had_happened(
    images: ImageSet, undisturbed: tuple[Candidate, TrainedPhases], stop_after: int
) -> None:
    candidate, whole = undisturbed
    assert whole.weights[Phase.INT8].keys() == Network(candidate.deployed).snapshot().keys()
    trainers: list[Trainer] = []
    taken: list[Checkpoint] = []
    steps = 0

    class Stopped(Exception):
        pass

    def stop(progress: Progress) -> None:
        nonlocal steps
        steps += 1
        if steps == stop_after:
            taken.append(trainers[-1].capture())
            raise Stopped

    with pytest.raises(Stopped):
        train_phases(job(candidate), images, ALL_PHASES, trainers.append, stop)
    (checkpoint,) = taken
    result = train_phases(job(candidate), images, ALL_PHASES, begin_nothing, quiet, checkpoint)
    for phase in ALL_PHASES:
        assert same(result.weights[phase], whole.weights[phase])
    assert result.seconds.total > checkpoint.seconds.total > 0


def test_what_a_rewrite_put_is_not_trained(images: ImageSet) -> None:
    whole = train_phases(job(FOLDED), images, ALL_PHASES, begin_nothing, quiet)
    learned = FOLDED.learned(initial_parameters(FOLDED.graph, 1))
    weights = whole.weights[Phase.TWIN]  # rounding may move them, with what lies beside them
    put = [weights[name][where == 0] for name, where in learned.items() if name in weights]
    assert set(np.unique(np.concatenate(put))) == {-1.0, 0.0, 1.0}
    before = whole.weights[Phase.FLOAT]
    moved = [(weights[n] != before[n])[where == 1] for n, where in learned.items() if n in weights]
    assert np.concatenate(moved).mean() > 0.5


@pytest.mark.parametrize("name", ["PRPSR", "ECBSR-M4C16", "ETDS-T", "FSRCNN", "ESPCN"])
def test_every_kind_of_network_trains_and_trains_on_as_int8(data: Data, name: str) -> None:
    candidate = zoo.find(name).build(3)
    asked, graph = job(candidate), candidate.deployed
    result = run_training(asked, data, quiet)
    trained = run_int8_training(asked, data, result, quiet)
    assert (result.int8_trained, trained.int8_trained) == (False, True)
    for values in (result.int8, trained.int8):
        after = evaluate(image_function(graph, values, Mode(quantize=True)), data.validation)
        assert after.psnr_db > 20
        assert after.psnr_db == pytest.approx(
            (result if values is result.int8 else trained).rounded_psnr_db[0], abs=0.05
        )


def test_charbonnier_is_above_the_mean_absolute_error(images: ImageSet) -> None:
    losses = []
    for loss in (Loss.L1, Loss.CHARBONNIER):
        recipe = Recipe(steps=40, batch=4, patch=16, loss=loss)
        begun = Trainer(job(small(), recipe), images)
        losses.append(float(begun.step(*begun.sampler.batch_of(0, 0))))
    assert losses[0] < losses[1] < losses[0] + 0.3


def test_memory_of_a_training_is_given_back(data: Data) -> None:
    """Traced steps are the largest part of it, and Keras' own optimizer would keep them alive."""
    from tensorflow.python.framework.func_graph import FuncGraph

    Trainer(job(small()), data.training).run()
    gc.collect()
    assert not [thing for thing in gc.get_objects() if isinstance(thing, FuncGraph)]


def test_quantizing_after_training_only_rounds_the_weights(data: Data) -> None:
    """With one scale a kernel: else channels are scaled against one another, too."""
    result = run_training(replace(job(small()), granularity=TENSOR), data, quiet)
    parameters = initial_parameters(small(), 1)
    for name in parameters:
        before, after = result.float32[name], result.int8[name]
        assert np.abs(after - before).max() <= 5 / 127 * max(np.abs(before).max(), 0.1)
    ranges = [name for name in result.int8 if name not in parameters]
    assert any(not np.array_equal(result.int8[r], result.float32[r]) for r in ranges)


def test_quantizing_after_training_hardly_changes_what_the_weights_compute(data: Data) -> None:
    result = run_training(job(small()), data, quiet)
    assert not all(np.array_equal(result.float32[name], result.int8[name]) for name in result.int8)
    lr = data.validation.pairs[0].lr
    before, after = (
        image_function(small(), weights, Mode(quantize=False))(lr).astype(int)
        for weights in (result.float32, result.int8)
    )
    assert np.abs(after - before).mean() < 0.5


def test_a_loss_that_is_no_number_ends_the_candidate(images: ImageSet) -> None:
    recipe = Recipe(steps=40, batch=4, patch=16, kernel_rate=1e38)
    with pytest.raises(CandidateError, match=r"the loss is (nan|inf)"):
        Trainer(job(small(), recipe), images).run()


def with_first_bias(trainer: Trainer, bias: float) -> Trainer:
    """``trainer`` where every channel of the first convolution begins with that ``bias``."""
    state = trainer.network.snapshot()
    first = next(name for name in state if name.endswith("/bias"))
    state[first] = np.full_like(state[first], bias)
    trainer.resume(Checkpoint(Phase.FLOAT, 0, {**trainer.capture().state, **state}))
    return trainer


def test_a_dead_network_is_called_dead(images: ImageSet) -> None:
    dead = with_first_bias(Trainer(job(small()), images), -1e3)  # too far to come back
    with pytest.raises(CandidateError, match="no gradient reaches"):
        dead.run()


def test_a_layer_that_gives_nothing_wakes_up(images: ImageSet) -> None:
    recipe = replace(SHORT, steps=100, learning_rate=5e-2)
    with_first_bias(Trainer(job(small(), recipe), images), -1.0).run()


def test_a_branch_that_died_is_no_dead_network(images: ImageSet) -> None:
    """What goes around it is trained, and its PSNR tells what it is worth."""
    net = GraphBuilder()
    features = net.conv(net.input, 8, relu=True)
    branch = net.conv(net.conv(features, 8, relu=True), 8)
    trainer = Trainer(job(net.image(net.conv(net.add(branch, features), 27), 3)), images)
    state = trainer.network.snapshot()
    biases = [name for name in state if name.endswith("/bias")]
    state[biases[1]] = np.full_like(state[biases[1]], -1e3)
    trainer.resume(Checkpoint(Phase.FLOAT, 0, {**trainer.capture().state, **state}))
    trainer.run()


def test_phases_follow_one_another(images: ImageSet) -> None:
    seen: list[Progress] = []
    train_phases(job(small()), images, ALL_PHASES, begin_nothing, seen.append)
    assert [p.phase for p in seen] == ["float"] * 40 + ["int8"] * 12 + ["twin"] * 12
    assert [seen[39].step, seen[-13].step, seen[-1].step] == [40, 12, 12]


@pytest.mark.parametrize("failures", [1, 2, 4])
def test_a_training_that_diverges_is_begun_again_with_smaller_steps(
    data: Data, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    rates: list[float] = []

    def refuse_dead(trainer: Trainer) -> None:
        rates.append(trainer.job.recipe.kernel_rate)
        if len(rates) <= failures:
            raise DivergedError("the network is dead")

    monkeypatch.setattr(Trainer, "_require_living_path", refuse_dead)
    seen: list[Progress] = []
    if failures == 4:
        with pytest.raises(CandidateError, match="is dead"):
            run_training(job(small()), data, seen.append)
    else:
        result = run_training(job(small()), data, seen.append)
        assert not result.int8_trained
    whole = SHORT.kernel_rate
    assert rates == [whole, whole / 2, whole / 4, whole / 8][: failures + 1]
    assert [progress.step for progress in seen].count(SHORT.steps) == len(rates)
