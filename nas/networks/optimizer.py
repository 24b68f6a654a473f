"""Adam with a warm-up, a cosine to zero and a moving average of the weights.

TensorFlow's fused kernels, called without Keras' optimiser: inside a compiled step that one keeps
every traced graph alive for good, some 15 MB a graph (Keras 3, TensorFlow 2.21), and a search
traces two graphs a candidate.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from .initialisation import Array
from .recipe import Recipe
from .tensorflow_quietly import tf

# Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 1.
_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-7


class Adam:
    """The optimiser of ``variables`` (float32), on the schedule of ``recipe`` from a step on."""

    def __init__(
        self, recipe: Recipe, variables: Sequence[tf.Variable], first_step: int = 0
    ) -> None:
        self._recipe = recipe
        self._variables = tuple(variables)
        self._moments = [tf.Variable(tf.zeros_like(variable)) for variable in variables]
        self._squares = [tf.Variable(tf.zeros_like(variable)) for variable in variables]
        self._averages = [tf.Variable(variable) for variable in variables]
        self._step = tf.Variable(float(first_step))
        self._age = tf.Variable(0.0)

    def apply(self, gradients: Iterable[tf.Tensor]) -> None:
        """One step along ``gradients``, one for each variable."""
        rate = self._learning_rate()
        self._step.assign_add(1.0)
        age = self._age.assign_add(1.0)
        # Made once: tracing takes time for every operation.
        beta_1, beta_2, epsilon = map(tf.constant, (_BETA_1, _BETA_2, _EPSILON))
        power_1, power_2 = tf.pow(beta_1, age), tf.pow(beta_2, age)
        forgotten = tf.constant(1 - self._recipe.ema_momentum, tf.float32)
        parts = zip(
            self._variables, gradients, self._moments, self._squares, self._averages, strict=True
        )
        for variable, gradient, moment, square, average in parts:
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
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
            average.assign_sub((average - variable) * forgotten)

    def _learning_rate(self) -> tf.Tensor:
        """Of the step to come: up along a line, then down to zero along a cosine."""
        warmup, steps = self._recipe.warmup_steps, self._recipe.steps
        done = tf.clip_by_value((self._step - warmup) / max(1, steps - warmup), 0.0, 1.0)
        return self._recipe.learning_rate * tf.minimum(
            self._step / warmup, 0.5 * (1 + tf.cos(math.pi * done))
        )

    def averages(self) -> list[Array]:
        """The moving average of every variable."""
        return [np.asarray(average.numpy(), np.float32) for average in self._averages]

    def state(self) -> dict[str, Array]:
        """Every array that :meth:`restore` needs, by name."""
        return {f"optimizer/{index}": variable.numpy() for index, variable in self._slots()}

    def restore(self, state: dict[str, Array]) -> None:
        """Back to where :meth:`state` was taken."""
        for index, variable in self._slots():
            variable.assign(state[f"optimizer/{index}"])

    def _slots(self) -> Iterable[tuple[int, tf.Variable]]:
        return enumerate([self._step, self._age, *self._moments, *self._squares, *self._averages])
