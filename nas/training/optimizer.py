"""Orthogonalized momentum for kernels, Adam for everything else, and a moving average of all.

Plain momentum changes a kernel mostly along a few directions, those in which its gradient happens
to be large. Here the momentum of each kernel is replaced by the nearest orthogonal matrix, which
treats all directions alike (Jordan et al., "Muon: An optimizer for hidden layers in neural
networks", 2024, https://kellerjordan.github.io/posts/muon).

Written with TensorFlow's own operations, without Keras' optimizer: inside a compiled step that one
keeps every traced graph alive for good, some 15 MB a graph (Keras 3, TensorFlow 2.21), and a search
traces at least one graph a candidate.
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
#: Keeps 0 from being divided by 0; every other gradient, however small, makes a whole step.
_TINY = 1e-30
#: Of Nesterov's momentum of kernels (Jordan et al.).
_MOMENTUM = 0.95
#: Coefficients of the iteration x -> a x + b x^3 + c x^5, so chosen that small singular values grow
#: fastest; five times bring all of them into 0.7..1.2 (Jordan et al.).
_QUINTIC = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5


@dataclass(frozen=True)
class KernelForm:
    """How a kernel is a stack of matrices, one a group, of its outputs over what they read.

    A depthwise kernel (h, w, channels, 1) is a group a channel; a transposed one (h, w, out, in) a
    matrix that lies on its side, which makes no difference to what is orthogonal. ``deviation`` is
    that of He-normal first weights: steps are in proportion to it.
    """

    groups: int
    #: of all groups together
    outputs: int
    deviation: float
    #: axes of the kernel that an output is summed over
    input_axes: tuple[int, ...]

    def matrices(self, kernel: tf.Tensor) -> tf.Tensor:
        """``kernel`` as (groups, shorter side, longer side)."""
        columns = tf.reshape(kernel, [-1, self.groups, self.outputs // self.groups])
        return tf.transpose(columns, [1, 2, 0] if self._is_wide(kernel.shape) else [1, 0, 2])

    def kernel(self, matrices: tf.Tensor, shape: tuple[int, ...]) -> tf.Tensor:
        """Back from :meth:`matrices`."""
        order = [2, 0, 1] if self._is_wide(shape) else [1, 0, 2]
        return tf.reshape(tf.transpose(matrices, order), shape)

    def damped(self, step: tf.Tensor, times: float) -> tf.Tensor:
        """``step`` with what it adds to all weights of an output alike so many times smaller."""
        common = tf.reduce_mean(step, axis=self.input_axes, keepdims=True)
        return step - (1 - 1 / times) * common

    def reached(self, gradient: tf.Tensor) -> tf.Tensor:
        """1.0 for outputs that a ``gradient`` (of the kernel's shape) reaches, else 0.0."""
        summed = tf.reduce_any(gradient != 0, axis=self.input_axes, keepdims=True)
        return tf.cast(summed, tf.float32)

    def _is_wide(self, shape: Sequence[int]) -> bool:
        """Are there at most as many outputs as an output reads?"""
        return self.outputs // self.groups <= math.prod(shape) // self.outputs


def orthogonalized(matrices: tf.Tensor) -> tf.Tensor:
    """(..., rows, columns), rows <= columns, each with singular values brought to about 1.

    All iterations run on square matrices of rows, which are small: a x + b x x'x + c x x'x x'x is a
    polynomial of x x', times x.
    """
    a, b, c = _QUINTIC
    # In two steps, since the squares of small numbers are 0.
    x = matrices / (tf.reduce_max(tf.abs(matrices), axis=[-2, -1], keepdims=True) + _TINY)
    x /= tf.norm(x, axis=[-2, -1], keepdims=True) + _EPSILON
    one = tf.eye(matrices.shape[-2])
    gram = tf.matmul(x, x, transpose_b=True)
    product = one
    for index in range(_ITERATIONS):
        factor = a * one + b * gram + c * tf.matmul(gram, gram)
        product = tf.matmul(factor, product) if index else factor
        if index < _ITERATIONS - 1:
            gram = tf.matmul(factor, tf.matmul(gram, factor))
    return tf.matmul(product, x)


@dataclass(frozen=True)
class Learned:
    """A variable (float32) to be trained.

    ``form`` is there if it is a kernel; ``mask``, if there is one, is 0 where it stays as it is.
    """

    variable: tf.Variable
    form: KernelForm | None = None
    mask: Array | None = None
    #: a bias is raised where no gradient reaches it
    bias: bool = False

    def masked(self, tensor: tf.Tensor) -> tf.Tensor:
        """``tensor`` where the variable is trained, 0 elsewhere."""
        return tensor if self.mask is None else tensor * self.mask


class Optimizer:
    """Moves ``variables`` on ``schedule``."""

    #: How many times smaller a kernel's step is made where it adds the same to all weights of an
    #: output. Features behind a ReLU are positive, and those of neighboring pixels alike, so that
    #: this part of a step moves the output many times as far as any other. At its whole size it
    #: overshoots, and narrow layers die (studies/training_speed).
    common_damping = 8.0

    def __init__(self, schedule: Schedule, variables: Sequence[Learned]) -> None:
        self._schedule, self._variables = schedule, tuple(variables)
        self._averages = [tf.Variable(learned.variable) for learned in variables]
        # Momentum of a kernel; first and second moment of anything else.
        self._moments = [
            [tf.Variable(tf.zeros_like(v.variable)) for _ in range(2 if v.form is None else 1)]
            for v in variables
        ]
        self._step = tf.Variable(0.0)

    def apply(self, gradients: Iterable[tf.Tensor]) -> None:
        """One step along ``gradients``, one for each variable."""
        level = level_of(self._schedule, self._step)
        step = self._step.assign_add(1.0)
        rows = [
            (learned, moments, learned.masked(gradient))
            for learned, moments, gradient in zip(
                self._variables, self._moments, gradients, strict=True
            )
        ]
        _move_kernels(
            [(row[0], *row[1], row[2]) for row in rows if row[0].form is not None],
            level * self._schedule.kernel_rate,
            self.common_damping,
        )
        _move_others(
            [(row[0], *row[1], row[2]) for row in rows if row[0].form is None],
            level * self._schedule.learning_rate,
            step,
        )
        forgotten = tf.constant(1 - self._schedule.average_momentum, tf.float32)
        for learned, average in zip(self._variables, self._averages, strict=True):
            average.assign_sub((average - learned.variable) * forgotten)

    def averages(self) -> list[Array]:
        """The moving average of every variable."""
        return [np.asarray(average.numpy(), np.float32) for average in self._averages]

    def state(self) -> dict[str, Array]:
        """Every array that :meth:`restore` needs, by name."""
        return {f"optimizer/{index}": slot.numpy() for index, slot in enumerate(self._slots)}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Back to where :meth:`state` was taken."""
        for index, slot in enumerate(self._slots):
            slot.assign(state[f"optimizer/{index}"])

    @property
    def _slots(self) -> list[tf.Variable]:
        moments = [moment for moments in self._moments for moment in moments]
        return [self._step, *self._averages, *moments]


def level_of(schedule: Schedule, step: tf.Tensor) -> tf.Tensor:
    """Of the rates at ``step``, as a part of their peak: up along a line, down along a cosine."""
    warmup = schedule.warmup_steps
    done = tf.clip_by_value((step - warmup) / max(1, schedule.steps - warmup), 0.0, 1.0)
    return tf.minimum((step + 1) / (warmup + 1), 0.5 * (1 + tf.cos(math.pi * done)))


def _move_kernels(
    kernels: Sequence[tuple[Learned, tf.Variable, tf.Tensor]], rate: tf.Tensor, damping: float
) -> None:
    """Each against its orthogonalized momentum; those with matrices of one size together.

    ``kernels`` are variable, momentum and gradient; ``rate`` is in first weights' deviations.
    Outputs that no gradient reaches, since their ReLU gives 0 everywhere, stay as they are: what is
    left of their momentum led there, and would be followed at its whole length.
    """
    alike: defaultdict[tuple[int, int], list[tuple[Learned, KernelForm, tf.Tensor]]]
    alike = defaultdict(list)
    kept = tf.constant(_MOMENTUM, tf.float32)
    for learned, momentum, gradient in kernels:
        assert learned.form is not None  # only such come here
        blended = kept * momentum + (1 - kept) * gradient
        momentum.assign(learned.form.reached(gradient) * blended)
        ahead = learned.form.matrices(kept * momentum + (1 - kept) * gradient)
        alike[ahead.shape[1], ahead.shape[2]].append((learned, learned.form, ahead))
    for (_, longer), members in alike.items():
        stacked = tf.concat([ahead for *_, ahead in members], 0)
        # Elements of an orthogonal matrix are, by root mean square, 1 / sqrt(its longer side).
        directions = orthogonalized(stacked) * (math.sqrt(longer) * rate)
        parts = tf.split(directions, [form.groups for _, form, _ in members])
        for (learned, form, _), direction in zip(members, parts, strict=True):
            step = form.damped(form.kernel(direction, learned.variable.shape), damping)
            learned.variable.assign_sub(learned.masked(step * form.deviation))


def _move_others(
    others: Sequence[tuple[Learned, tf.Variable, tf.Variable, tf.Tensor]],
    rate: tf.Tensor,
    step: tf.Tensor,
) -> None:
    """Adam's step; ``others`` are variable, first and second moment, and gradient.

    A bias that no gradient reaches is raised, until its ReLU gives something again: layers died
    in long trainings.
    """
    # Made once: tracing takes time for every operation.
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
