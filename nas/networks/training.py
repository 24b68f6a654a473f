"""Training of one graph: in floating point first, then with INT8 rounding, as one schedule.

The floating-point twin, by which the loss of INT8 is told, shares the first phase and goes on
without rounding from there: same seed, same batches, same number of steps.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from latency_models import WeightGranularity
from search_spaces import CandidateError, Graph

from ..choices import Quantization
from ..images.data import ImageSet, PatchSampler
from .initialisation import Array
from .interpretation import Mode
from .network import Network, Weights
from .recipe import Recipe
from .tensorflow_quietly import keras, tf

_CALIBRATION_BATCHES = 8
Step = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


class Phase(StrEnum):
    """A stretch of the schedule. Post-training quantisation knows only the first."""

    FLOAT = "float"
    INT8 = "int8"
    TWIN = "twin"


@dataclass(frozen=True)
class Progress:
    """Where a training stands: ``step`` of ``steps``, and the last L1 loss in grey levels."""

    phase: Phase
    step: int
    steps: int
    loss: float


@dataclass(frozen=True)
class Trained:
    """Averaged weights with INT8 rounding, those of the twin, and what it took."""

    int8: Weights = field(repr=False)
    float32: Weights = field(repr=False)
    gradient_seconds: float


@dataclass(frozen=True)
class Checkpoint:
    """All that a training needs to go on: where it is, and every array by name."""

    phase: Phase
    step: int
    current: dict[str, Array] = field(repr=False)
    #: state at the fork, until the twin has taken it up
    forked: dict[str, Array] = field(repr=False, default_factory=dict)
    #: averaged INT8 weights, once there are any
    int8: dict[str, Array] = field(repr=False, default_factory=dict)


class Trainer:
    """One network, its optimiser and its compiled steps.

    ``observe`` is called after every step; whatever it raises ends the training.
    """

    def __init__(
        self,
        graph: Graph,
        images: ImageSet,
        recipe: Recipe,
        granularity: WeightGranularity,
        seed: int,
        observe: Callable[[Progress], None] = lambda progress: None,
    ) -> None:
        self.recipe = recipe
        self.network = Network(graph, seed)
        self.sampler = PatchSampler(images, recipe.batch, recipe.patch)
        self._granularity, self._seed, self._observe = granularity, seed, observe
        self._variables = self.network.parameters + self.network.ranges
        self._optimizer = _optimizer(recipe)
        self._optimizer.build(self._variables)
        self._steps: dict[bool, Step] = {}
        self._seconds = 0.0
        self.checkpoint = Checkpoint(Phase.FLOAT, 0, self._state())

    def run(self) -> Trained:
        """Trains from ``checkpoint`` on; CandidateError if the loss is NaN or a layer is dead."""
        if self.checkpoint.phase is Phase.FLOAT:
            self._advance(self.recipe.fork_step)
            self._refuse_dead_layers()
            if self.recipe.quantization is Quantization.PTQ:
                return self._quantised_afterwards()
            forked = self._state()
            self._calibrate()
            self.checkpoint = Checkpoint(Phase.INT8, self.recipe.fork_step, self._state(), forked)
        if self.checkpoint.phase is Phase.INT8:
            self._advance(self.recipe.steps)
            forked, int8 = self.checkpoint.forked, self._averaged()
            self._restore(forked)
            self.checkpoint = Checkpoint(Phase.TWIN, self.recipe.fork_step, forked, int8=int8)
        self._advance(self.recipe.steps)
        return Trained(self.checkpoint.int8, self._averaged(), self._seconds)

    def _quantised_afterwards(self) -> Trained:
        averaged = self._averaged()
        self.network.restore(averaged)
        self._calibrate()
        return Trained(self.network.snapshot(), averaged, self._seconds)

    def resume(self, checkpoint: Checkpoint) -> None:
        """Goes on where ``checkpoint`` was taken."""
        self.checkpoint = checkpoint
        self._restore(checkpoint.current)

    def capture(self) -> Checkpoint:
        """A checkpoint of this moment."""
        at = self.checkpoint
        return Checkpoint(at.phase, at.step, self._state(), at.forked, at.int8)

    def step(self, *, quantise: bool) -> Step:
        """The compiled gradient step on uint8 LR and HR patches; returns the L1 loss in levels."""
        if quantise not in self._steps:
            self._steps[quantise] = self._compile(self._mode(quantise))
        return self._steps[quantise]

    def _compile(self, mode: Mode) -> Step:
        lr, hr = (tf.TensorSpec(shape, tf.uint8) for shape in self.sampler.shapes)

        @tf.function(autograph=False, input_signature=[lr, hr])
        def step(lr: tf.Tensor, hr: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape() as tape:
                predicted = self.network(tf.cast(lr, tf.float32), mode=mode)
                loss = tf.reduce_mean(tf.abs(predicted - tf.cast(hr, tf.float32)))
            gradients = tape.gradient(
                loss,
                [variable.value for variable in self._variables],
                unconnected_gradients=tf.UnconnectedGradients.ZERO,
            )
            self._optimizer.apply(gradients, self._variables)
            return loss

        # Traced here, so that no gradient step is charged with it.
        compiled: Step = step.get_concrete_function()
        return compiled

    def _mode(self, quantise: bool) -> Mode:
        return Mode(quantise, self._granularity, self.recipe.bfloat16, training=True)

    def _advance(self, last: int) -> None:
        """Steps up to ``last``."""
        phase = self.checkpoint.phase
        step = self.step(quantise=phase is Phase.INT8)
        for index in range(self.checkpoint.step, last):
            lr, hr = self.sampler.batch_of(self._seed, index)
            started = time.perf_counter()
            loss = float(step(lr, hr))
            self._seconds += time.perf_counter() - started
            if not math.isfinite(loss):
                raise CandidateError(f"training: the loss is {loss} at step {index} ({phase})")
            at = self.checkpoint
            self.checkpoint = Checkpoint(phase, index + 1, at.current, at.forked, at.int8)
            self._observe(Progress(phase, index + 1, self.recipe.steps, loss))

    def _calibrate(self) -> None:
        batches = [
            self.sampler.batch_of(self._seed, self.recipe.steps + index)[0]
            for index in range(_CALIBRATION_BATCHES)
        ]
        self.network.calibrate(tf.constant(np.concatenate(batches), tf.float32))

    def _refuse_dead_layers(self) -> None:
        """A layer that no gradient reaches has lost all its ReLUs, and will not come back."""
        lr, hr = self.sampler.batch_of(self._seed, 0)
        kernels = self.network.kernels
        with tf.GradientTape() as tape:
            predicted = self.network(tf.cast(lr, tf.float32), mode=self._mode(quantise=False))
            loss = tf.reduce_mean(tf.abs(predicted - tf.cast(hr, tf.float32)))
        gradients = tape.gradient(loss, [kernel.value for kernel in kernels.values()])
        for name, gradient in zip(kernels, gradients, strict=True):
            if gradient is None or not np.any(gradient.numpy()):
                raise CandidateError(f"training: no gradient reaches {name!r}, the network is dead")

    def _averaged(self) -> dict[str, Array]:
        """The moving average of every value; the variables themselves stay as they are."""
        kept = self._state()
        self._optimizer.finalize_variable_values(self._variables)
        averaged = self.network.snapshot()
        self._restore(kept)
        return averaged

    def _state(self) -> dict[str, Array]:
        optimizer = enumerate(self._optimizer.variables)
        return self.network.snapshot() | {f"optimizer/{i}": v.numpy() for i, v in optimizer}

    def _restore(self, state: dict[str, Array]) -> None:
        self.network.restore(state)
        for index, variable in enumerate(self._optimizer.variables):
            variable.assign(state[f"optimizer/{index}"])


def _optimizer(recipe: Recipe) -> keras.optimizers.Optimizer:
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0,
        decay_steps=max(1, recipe.steps - recipe.warmup_steps),
        warmup_target=recipe.learning_rate,
        warmup_steps=recipe.warmup_steps,
    )
    return keras.optimizers.Adam(schedule, use_ema=True, ema_momentum=recipe.ema_momentum)
