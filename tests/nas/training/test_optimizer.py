"""The optimizer: kernels as matrices, orthogonal steps, schedules, and what a step changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.training.network import Network
from nas.training.optimizer import KernelForm, Learned, Optimizer, level_of, orthogonalized
from nas.training.recipe import Recipe, Schedule
from nas.training.tensorflow_quietly import tf
from search_spaces import Branches, DepthwiseConv, Graph
from search_spaces.graph.builder import GraphBuilder

SCHEDULE = Schedule(steps=100, kernel_rate=0.01, learning_rate=1e-3, warmup_steps=5)


@st.composite
def kernels(draw: st.DrawFn) -> tuple[tuple[int, int, int, int], int, int]:
    """Shape, groups and outputs of plain, grouped and depthwise convolutions."""
    side, groups = draw(st.integers(1, 5)), draw(st.sampled_from([1, 2, 4]))
    inputs, outputs = draw(st.integers(1, 9)), groups * draw(st.integers(1, 9))
    if draw(st.booleans()):
        return (side, side, inputs, outputs), groups, outputs
    return (side, side, inputs, 1), inputs, inputs  # depthwise


@given(kernels(), st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_matrices_hold_what_each_output_reads(
    drawn: tuple[tuple[int, int, int, int], int, int], seed: int
) -> None:
    shape, groups, outputs = drawn
    kernel = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    form = KernelForm(groups, outputs, 1.0, (0, 1, 2))
    matrices = form.matrices(tf.constant(kernel))
    assert matrices.shape[0] == groups
    assert matrices.shape[1] <= matrices.shape[2]
    assert np.array_equal(form.kernel(matrices, shape).numpy(), kernel)
    # Each output's weights are one row, or one column, of its group's matrix.
    per_group = outputs // groups
    flat = kernel.reshape(-1, outputs)
    for output in range(outputs):
        matrix = matrices[output // per_group].numpy()
        lines = matrix if matrix.shape[0] == per_group else matrix.T
        assert any(np.array_equal(line, flat[:, output]) for line in (*lines, *matrix.T, *matrix))


@given(
    st.integers(1, 3), st.integers(1, 24), st.integers(0, 40), st.integers(0, 99),
    st.floats(1e-6, 1e4),
)  # fmt: skip
@settings(max_examples=50, deadline=None)
def test_orthogonalized_matrices_treat_all_directions_alike(
    groups: int, rows: int, more: int, seed: int, scale: float
) -> None:
    """Within what five iterations can do with directions that are a hundred times apart."""
    rng = np.random.default_rng(seed)
    left = np.linalg.qr(rng.normal(size=(groups, rows, rows)))[0]
    right = np.linalg.qr(rng.normal(size=(groups, rows + more, rows)))[0]
    values = rng.uniform(0.05, 1.0, (groups, 1, rows)) * scale
    matrices = (left * values) @ right.swapaxes(1, 2)
    result = orthogonalized(tf.constant(matrices, tf.float32)).numpy()
    found = np.linalg.svd(result, compute_uv=False)
    assert found.min() > 0.5
    assert found.max() < 1.3
    # The directions themselves stay: both matrices are diagonal in the same bases.
    turned = left.swapaxes(1, 2) @ result @ right
    off_diagonal = turned * (1 - np.eye(rows))
    assert np.abs(off_diagonal).max() < 0.02


def test_a_gradient_of_nothing_moves_nothing() -> None:
    assert not orthogonalized(tf.zeros([2, 3, 5])).numpy().any()


def moved(shape: tuple[int, ...], form: KernelForm | None, mask: np.ndarray | None) -> np.ndarray:
    """What one step at the peak of SCHEDULE changes, along a random gradient."""
    variable = tf.Variable(tf.zeros(shape))
    optimizer = Optimizer(SCHEDULE, [Learned(variable, form, mask)])
    gradient = tf.constant(np.random.default_rng(1).normal(size=shape), tf.float32)
    for _ in range(SCHEDULE.warmup_steps + 1):
        before = variable.numpy()
        optimizer.apply([gradient])
    result: np.ndarray = variable.numpy() - before
    return result


@pytest.mark.parametrize("size", [1e-3, 1.0])
def test_a_step_of_a_kernel_is_in_proportion_to_its_first_weights(size: float) -> None:
    step = moved((3, 3, 8, 12), KernelForm(1, 12, size, (0, 1, 2)), None)
    assert np.sqrt(np.mean(step**2)) == pytest.approx(0.01 * size, rel=0.15)


@pytest.mark.parametrize("size", [1e-28, 1e-22, 1e-19, 1e-16, 1e-12, 1.0, 1e12])
def test_however_small_the_gradient_the_step_is_whole(size: float) -> None:
    """A layer that is dead but for a trace of gradient comes back."""
    direction = np.random.default_rng(1).normal(size=(1, 4, 9)) * size
    found = np.linalg.svd(orthogonalized(tf.constant(direction, tf.float32)).numpy())[1]
    assert found.min() > 0.5


def test_all_weights_of_an_output_together_move_less() -> None:
    """Features behind a ReLU are positive: their common part moves an output the most."""
    shape, form = (3, 3, 8, 12), KernelForm(1, 12, 1.0, (0, 1, 2))
    variable = tf.Variable(tf.zeros(shape))
    optimizer = Optimizer(SCHEDULE, [Learned(variable, form)])
    noise = np.random.default_rng(1).normal(size=shape)
    optimizer.apply([tf.constant(noise + 1.0, tf.float32)])
    step = variable.numpy()
    common = step.mean(axis=(0, 1, 2))
    assert np.abs(common).max() < 0.1 * np.abs(step).mean()
    assert common.any()


@given(kernels(), st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_outputs_that_no_gradient_reaches_stay_and_their_biases_rise(
    drawn: tuple[tuple[int, int, int, int], int, int], seed: int
) -> None:
    """Whatever their gradients were before, so that they fire again."""
    shape, groups, outputs = drawn
    axes, output_axis = ((0, 1, 2), 3) if shape[3] != 1 else ((0, 1, 3), 2)
    random = np.random.default_rng(seed)
    dead = random.random(shape[output_axis]) < 0.5
    kernel, bias, slopes = (tf.Variable(tf.zeros(each)) for each in (shape, dead.shape, dead.shape))
    optimizer = Optimizer(
        SCHEDULE,
        [
            Learned(kernel, KernelForm(groups, outputs, 1.0, axes)),
            Learned(bias, bias=True),
            Learned(slopes),
        ],
    )
    alive = np.moveaxis(
        np.broadcast_to(~dead, (*(shape[a] for a in axes), len(dead))), -1, output_axis
    )
    found = []
    for step in range(4):
        reached = alive if step else np.ones_like(alive)
        of_channels = random.uniform(0.5, 1.0, dead.shape) * (~dead if step else 1)
        gradients = (random.uniform(0.5, 1.0, shape) * reached, of_channels, of_channels)
        optimizer.apply([tf.constant(gradient, tf.float32) for gradient in gradients])
        found.append([variable.numpy() for variable in (kernel, bias, slopes)])
    moved_kernel, moved_bias, moved_slopes = (
        last - first for first, last in zip(found[0], found[-1], strict=True)
    )
    assert not moved_kernel[~alive].any()
    assert (moved_bias[dead] > moved_slopes[dead]).all()
    assert np.array_equal(moved_bias[~dead], moved_slopes[~dead])


def test_a_mask_holds_for_kernels_and_for_others() -> None:
    for shape, form in (((3, 3, 4, 6), KernelForm(1, 6, 1.0, (0, 1, 2))), ((6,), None)):
        mask = np.ones(shape, np.float32)
        mask[..., :2] = 0
        step = moved(shape, form, mask)
        assert not step[..., :2].any()
        assert step[..., 2:].all()


def test_rates_rise_to_their_peak_and_fall_to_nothing() -> None:
    levels = [float(level_of(SCHEDULE, tf.constant(float(step)))) for step in range(101)]
    peak = SCHEDULE.warmup_steps
    assert levels[0] > 0
    assert levels[:peak] == sorted(levels[:peak])
    assert levels[peak] == pytest.approx(1.0)
    assert levels[peak:] == sorted(levels[peak:], reverse=True)
    assert levels[-1] == pytest.approx(0.0, abs=1e-6)


def network_of_all_kernels() -> Graph:
    net = GraphBuilder()
    features = net.conv(net.input, 8, relu=True, branches=Branches.EXPANDED)
    features = net.conv(features, 8, groups=4, relu=True)
    features = net.add_node(DepthwiseConv(), features)
    features = net.conv(features, 8, branches=Branches.POINTWISE)
    return net.image(net.conv(features, 12), 2)


def test_every_kernel_of_a_network_has_a_form_and_nothing_else_has() -> None:
    network = Network(network_of_all_kernels())
    forms = network.kernel_forms
    assert forms.keys() == {name for name, value in network.values.items() if len(value.shape) == 4}
    assert {form.groups for form in forms.values()} == {1, 4, 8}
    for name, form in forms.items():
        shape = network.values[name].shape
        summed = [side for axis, side in enumerate(shape) if axis in form.input_axes]
        assert np.prod(summed) * form.outputs == np.prod(shape), name


def test_long_trainings_make_smaller_steps() -> None:
    rates = [Recipe(steps).float_schedule(60).kernel_rate for steps in (50, 500, 1000, 10_000)]
    assert rates[0] == rates[1] > rates[2] > rates[3] > 0
    assert Recipe(10_000).int8_schedule.kernel_rate < rates[3]


def test_networks_of_many_kernels_make_smaller_steps_in_long_trainings() -> None:
    rates = [Recipe(10_000).float_schedule(kernels).kernel_rate for kernels in (1, 7, 14, 56, 500)]
    assert Recipe(50).float_schedule(500).kernel_rate > rates[0]
    assert rates[0] == rates[1] > rates[2] > rates[3] > rates[4] > 0
    assert rates[2] == pytest.approx(4**0.4 * rates[3])


def test_schedules_of_any_length_begin_and_end() -> None:
    for steps in (1, 2, 50, 10_000):
        for schedule in (Recipe(steps).float_schedule(9), Recipe(steps).int8_schedule):
            assert schedule.steps >= 1
            assert schedule.warmup_steps >= 1
            assert 0 <= schedule.average_momentum < 1
