"""Other optimizers with the schedule of ``nas``: Adam for all weights, and SOAP for kernels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from nas.training.initialization import Array
from nas.training.optimizer import KernelForm, Learned, Optimizer, level_of
from nas.training.recipe import Schedule
from nas.training.tensorflow_quietly import tf


def adam(schedule: Schedule, variables: Sequence[Learned]) -> Optimizer:
    """Returns Adam (Kingma and Ba, ICLR 2015) for all weights, at ``schedule.learning_rate``."""
    return Optimizer(schedule, [replace(learned, form=None) for learned in variables])


class Undamped(Optimizer):
    """Orthogonalized momentum as published: the common part of a step is not damped."""

    common_damping = 1.0


class Damped30(Optimizer):
    """Orthogonalized momentum whose common part of a step is damped by a factor of 30."""

    common_damping = 30.0


class Soap(Optimizer):
    """Adam in the eigenbasis of Shampoo's preconditioners, on the shorter side of each matrix.

    Vyas et al., "SOAP: Improving and stabilizing Shampoo using Adam", 2024, arXiv:2409.11321,
    algorithm 3; the basis is renewed every ``RENEWED`` steps by one step of orthogonal iteration.
    Adam trains all weights but kernels.
    """

    RENEWED = 10
    _BETA_1, _BETA_2, _BETA_BASIS, _EPSILON = 0.95, 0.95, 0.95, 1e-8

    def __init__(self, schedule: Schedule, variables: Sequence[Learned]) -> None:
        super().__init__(schedule, [replace(learned, form=None) for learned in variables])
        self._soap_schedule, self._soap_variables = schedule, tuple(variables)
        self._soap_bases = {
            index: _Basis.of(learned.variable, learned.form)
            for index, learned in enumerate(variables)
            if learned.form is not None
        }
        self._soap_step = tf.Variable(0.0)

    def apply(self, gradients: Iterable[tf.Tensor]) -> None:
        """Makes one step: kernels by SOAP, the other weights by Adam."""
        all_gradients = list(gradients)
        level = level_of(self._soap_schedule, self._soap_step) * self._soap_schedule.learning_rate
        step = self._soap_step.assign_add(1.0)
        for index, basis in self._soap_bases.items():
            learned = self._soap_variables[index]
            assert learned.form is not None  # only kernels have a basis
            update = self._soap_update(basis, learned.form, all_gradients[index], step)
            learned.variable.assign_sub(update * level)
            # A gradient of 0 keeps Adam from changing the kernel.
            all_gradients[index] = tf.zeros_like(all_gradients[index])
        super().apply(all_gradients)

    def _soap_update(
        self, basis: _Basis, form: KernelForm, gradient: tf.Tensor, step: tf.Tensor
    ) -> tf.Tensor:
        matrices = form.matrices(gradient)
        outer = tf.matmul(matrices, matrices, transpose_b=True)
        basis.gram.assign(self._BETA_BASIS * basis.gram + (1 - self._BETA_BASIS) * outer)
        due = tf.equal(tf.math.floormod(step - 1, self.RENEWED), 0.0)
        renewed = tf.cond(
            due,
            lambda: tf.linalg.qr(tf.matmul(basis.gram, basis.vectors))[0],
            lambda: tf.identity(basis.vectors),
        )
        vectors = basis.vectors.assign(renewed)
        moment = basis.moment.assign(self._BETA_1 * basis.moment + (1 - self._BETA_1) * matrices)
        rotated_gradient = tf.matmul(vectors, matrices, transpose_a=True)
        square = basis.square.assign(
            self._BETA_2 * basis.square + (1 - self._BETA_2) * tf.square(rotated_gradient)
        )
        unbiased = tf.matmul(vectors, moment, transpose_a=True) / (1 - tf.pow(self._BETA_1, step))
        scale = tf.sqrt(square / (1 - tf.pow(self._BETA_2, step))) + self._EPSILON
        return form.kernel(tf.matmul(vectors, unbiased / scale), tuple(gradient.shape))

    def state(self) -> dict[str, Array]:
        raise NotImplementedError("trainings of this study are short and are not resumed")

    def restore(self, state: Mapping[str, Array]) -> None:
        raise NotImplementedError("trainings of this study are short and are not resumed")


class _Basis:
    """Variables of one kernel: preconditioner, eigenbasis, and Adam's moments in that basis."""

    def __init__(self, groups: int, shorter: int, longer: int) -> None:
        eye = np.broadcast_to(np.eye(shorter, dtype=np.float32), (groups, shorter, shorter))
        self.gram = tf.Variable(1e-12 * eye)
        self.vectors = tf.Variable(eye)
        self.moment = tf.Variable(tf.zeros([groups, shorter, longer]))
        self.square = tf.Variable(tf.zeros([groups, shorter, longer]))

    @classmethod
    def of(cls, variable: tf.Variable, form: KernelForm) -> _Basis:
        return cls(*form.matrices(variable).shape)
