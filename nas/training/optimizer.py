"""Orthogonalized momentum for kernels, Adam for other variables, and moving averages of all.

Plain momentum changes a kernel mostly along a few directions, those in which its gradient happens
to be large. Here the momentum of each kernel is replaced by the nearest orthogonal matrix, which
treats all directions alike (Jordan et al., "Muon: An optimizer for hidden layers in neural
networks", 2024, https://kellerjordan.github.io/posts/muon).

It uses TensorFlow's operations instead of Keras' optimizers: inside a compiled step, those keep
every traced graph alive forever, some 15 MB per graph (Keras 3, TensorFlow 2.21), and a search
traces at least one graph per candidate.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .initialization import Array
from .recipe import Schedule
from .tensorflow_quietly import tf

# Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 1.
_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-7
#: Avoids division of 0 by 0; any other gradient, however small, results in a full step.
_TINY = 1e-30
#: Nesterov momentum of kernels (Jordan et al.).
_MOMENTUM = 0.95
#: Coefficients of the iteration x -> a x + b x^3 + c x^5, chosen so that small singular values grow
#: fastest; five iterations bring all of them into 0.7..1.2 (Jordan et al.).
_QUINTIC_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5


@dataclass(frozen=True)
class KernelForm:
    """Form of a kernel as matrices, one per group, of its outputs by the inputs that they read.

    A depthwise kernel (h, w, channels, 1) has one group per channel. A kernel of a transposed
    convolution (h, w, out, in) is a transposed matrix, which is orthogonal if the matrix is.
    ``deviation`` is the standard deviation of He-normal initial weights; steps are proportional to
    it.
    """

    groups: int
    #: number of outputs of all groups together
    outputs: int
    deviation: float
    #: axes of the kernel over which the convolution sums for each output
    input_axes: tuple[int, ...]

    def matrices(self, kernel: tf.Tensor) -> tf.Tensor:
        """Returns ``kernel`` as matrices (groups, shorter side, longer side)."""
        columns = tf.reshape(kernel, [-1, self.groups, self.outputs // self.groups])
        return tf.transpose(columns, [1, 2, 0] if self._is_wide(kernel.shape) else [1, 0, 2])

    def kernel(self, matrices: tf.Tensor, shape: tuple[int, ...]) -> tf.Tensor:
        """Returns the kernel of ``shape`` from its :meth:`matrices`."""
        order = [2, 0, 1] if self._is_wide(shape) else [1, 0, 2]
        return tf.reshape(tf.transpose(matrices, order), shape)

    def damped(self, step: tf.Tensor, damping: float) -> tf.Tensor:
        """Returns ``step`` with its mean over each output's weights divided by ``damping``."""
        common = tf.reduce_mean(step, axis=self.input_axes, keepdims=True)
        return step - (1 - 1 / damping) * common

    def reached_outputs(self, gradient: tf.Tensor) -> tf.Tensor:
        """Returns 1.0 for each output with any nonzero ``gradient`` of its weights, else 0.0."""
        is_reached = tf.reduce_any(gradient != 0, axis=self.input_axes, keepdims=True)
        return tf.cast(is_reached, tf.float32)

    def _is_wide(self, shape: Sequence[int]) -> bool:
        """Returns whether a group has at most as many outputs as each of them reads inputs."""
        return self.outputs // self.groups <= math.prod(shape) // self.outputs


def orthogonalized(matrices: tf.Tensor) -> tf.Tensor:
    """Returns ``matrices`` (..., rows, columns), rows <= columns, with singular values of about 1.

    All iterations run on small square matrices (rows, rows): a x + b x x'x + c x x'x x'x is a
    polynomial of x x', multiplied by x.
    """
    a, b, c = _QUINTIC_COEFFICIENTS
    # Normalized in two steps: in float32 the squares of small numbers would be 0.
    x = matrices / (tf.reduce_max(tf.abs(matrices), axis=[-2, -1], keepdims=True) + _TINY)
    x /= tf.norm(x, axis=[-2, -1], keepdims=True) + _EPSILON
    identity = tf.eye(matrices.shape[-2])
    gram = tf.matmul(x, x, transpose_b=True)
    product = identity
    for index in range(_ITERATIONS):
        factor = a * identity + b * gram + c * tf.matmul(gram, gram)
        product = tf.matmul(factor, product) if index else factor
        if index < _ITERATIONS - 1:
            gram = tf.matmul(factor, tf.matmul(gram, factor))
    return tf.matmul(product, x)


@dataclass(frozen=True)
class Learned:
    """A variable (float32) to be trained.

    ``form`` is given for kernels only. ``mask``, if given, is 0 for elements that are not trained.
    """

    variable: tf.Variable
    form: KernelForm | None = None
    mask: Array | None = None
    #: whether it is a bias, which is raised where no gradient reaches it
    bias: bool = False

    def masked(self, tensor: tf.Tensor) -> tf.Tensor:
        """Returns ``tensor`` with 0 for elements of the variable that are not trained."""
        return tensor if self.mask is None else tensor * self.mask


class Optimizer:
    """Trains ``variables`` on ``schedule``."""

    #: Divisor of the part of a kernel's step that is equal for all weights of an output. Features
    #: behind a ReLU are positive, and neighboring pixels are similar, so that this part changes the
    #: output many times as much as any other. Undamped it overshoots, and narrow layers die
    #: (studies/training_speed).
    common_damping = 8.0

    def __init__(self, schedule: Schedule, variables: Sequence[Learned]) -> None:
        self._schedule, self._variables = schedule, tuple(variables)
        self._averages = [tf.Variable(learned.variable) for learned in variables]
        # One slot for the momentum of a kernel, two for the moments of any other variable.
        self._moments = [
            [tf.Variable(tf.zeros_like(v.variable)) for _ in range(2 if v.form is None else 1)]
            for v in variables
        ]
        self._step = tf.Variable(0.0)

    def apply(self, gradients: Iterable[tf.Tensor]) -> None:
        """Takes one step; ``gradients`` has one gradient for each variable."""
        rate_factor = level_of(self._schedule, self._step)
        step = self._step.assign_add(1.0)
        rows = [
            (learned, moments, learned.masked(gradient))
            for learned, moments, gradient in zip(
                self._variables, self._moments, gradients, strict=True
            )
        ]
        _move_kernels(
            [(row[0], *row[1], row[2]) for row in rows if row[0].form is not None],
            rate_factor * self._schedule.kernel_rate,
            self.common_damping,
        )
        _move_others(
            [(row[0], *row[1], row[2]) for row in rows if row[0].form is None],
            rate_factor * self._schedule.learning_rate,
            step,
        )
        average_rate = tf.constant(1 - self._schedule.average_momentum, tf.float32)
        for learned, average in zip(self._variables, self._averages, strict=True):
            average.assign_sub((average - learned.variable) * average_rate)

    def averages(self) -> list[Array]:
        """Returns the moving average of every variable."""
        return [np.asarray(average.numpy(), np.float32) for average in self._averages]

    def state(self) -> dict[str, Array]:
        """Returns every array that :meth:`restore` needs, by name."""
        return {f"optimizer/{index}": slot.numpy() for index, slot in enumerate(self._slots)}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Restores the state that :meth:`state` returned."""
        for index, slot in enumerate(self._slots):
            slot.assign(state[f"optimizer/{index}"])

    @property
    def _slots(self) -> list[tf.Variable]:
        moments = [moment for moments in self._moments for moment in moments]
        return [self._step, *self._averages, *moments]


def level_of(schedule: Schedule, step: tf.Tensor) -> tf.Tensor:
    """Returns the ratio of the rates at ``step`` to their peak: linear rise, then cosine decay."""
    warmup = schedule.warmup_steps
    decay_progress = tf.clip_by_value((step - warmup) / max(1, schedule.steps - warmup), 0.0, 1.0)
    return tf.minimum((step + 1) / (warmup + 1), 0.5 * (1 + tf.cos(math.pi * decay_progress)))


def _move_kernels(
    kernels: Sequence[tuple[Learned, tf.Variable, tf.Tensor]], rate: tf.Tensor, damping: float
) -> None:
    """Steps each kernel against its orthogonalized momentum.

    ``kernels`` are (variable, momentum, gradient); ``rate`` is in standard deviations of initial
    weights. Matrices of equal size are orthogonalized together. Outputs that no gradient reaches,
    because their ReLU is 0 everywhere, do not move: their remaining momentum led to that state, and
    orthogonalization would scale it to a full step.
    """
    by_size: defaultdict[tuple[int, int], list[tuple[Learned, KernelForm, tf.Tensor]]]
    by_size = defaultdict(list)
    momentum_factor = tf.constant(_MOMENTUM, tf.float32)
    for learned, momentum, gradient in kernels:
        assert learned.form is not None  # callers pass kernels only
        blended = momentum_factor * momentum + (1 - momentum_factor) * gradient
        momentum.assign(learned.form.reached_outputs(gradient) * blended)
        nesterov = learned.form.matrices(
            momentum_factor * momentum + (1 - momentum_factor) * gradient
        )
        by_size[nesterov.shape[1], nesterov.shape[2]].append((learned, learned.form, nesterov))
    for (_, longer_side), members in by_size.items():
        stacked = tf.concat([matrices for *_, matrices in members], 0)
        # The root mean square of an orthogonal matrix's elements is 1 / sqrt(its longer side).
        directions = orthogonalized(stacked) * (math.sqrt(longer_side) * rate)
        parts = tf.split(directions, [form.groups for _, form, _ in members])
        for (learned, form, _), direction in zip(members, parts, strict=True):
            step = form.damped(form.kernel(direction, learned.variable.shape), damping)
            learned.variable.assign_sub(learned.masked(step * form.deviation))


def _move_others(
    others: Sequence[tuple[Learned, tf.Variable, tf.Variable, tf.Tensor]],
    rate: tf.Tensor,
    step: tf.Tensor,
) -> None:
    """Takes Adam's step; ``others`` are (variable, first moment, second moment, gradient).

    A bias that no gradient reaches is raised until its ReLU is positive again. Without this, layers
    died in long trainings.
    """
    # Shared by all variables: tracing takes time for every operation.
    beta_1, beta_2, epsilon = map(tf.constant, (_BETA_1, _BETA_2, _EPSILON))
    power_1, power_2 = tf.pow(beta_1, step), tf.pow(beta_2, step)
    for learned, moment, square, gradient in others:
        tf.raw_ops.ResourceApplyAdam(
            var=learned.variable.handle,
            m=moment.handle,
            v=square.handle,
            beta1_power=power_1,
            beta2_power=power_2,
            lr=rate,
            beta1=beta_1,
            beta2=beta_2,
            epsilon=epsilon,
            grad=gradient,
        )
        if learned.bias:
            unreached = tf.cast(gradient == 0, tf.float32)
            learned.variable.assign_add(rate * learned.masked(unreached))
