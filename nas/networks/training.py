"""Training of one graph: in floating point first, then with INT8 rounding, as one schedule.

With rounding means: of every tensor between operators at each step, of the kernels at the end
(those of transposed convolutions at each step, too).

The floating-point twin, by which the loss of INT8 is told, shares the first phase and goes on
without rounding from there: same seed, same batches, same number of steps.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from latency_models import WeightGranularity
from search_spaces import Candidate, CandidateError, Graph

from ..choices import Loss, Quantization
from ..images.data import ImageSet, PatchSampler, Pixels
from .calibration import calibration_crops, largest_values, quantise_afterwards
from .initialisation import Array
from .interpretation import Mode
from .lesson import Phase, Progress, Trained, Weights
from .network import Network
from .optimizer import Adam
from .recipe import Recipe
from .rounding import round_kernels
from .tensorflow_quietly import tf

#: Levels; a thousandth of the image range, as usual (Lai et al., LapSRN, CVPR 2017).
_CHARBONNIER_EPSILON = 0.255
Step = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


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
    #: spent in gradient steps up to here, in all runs
    gradient_seconds: float = 0.0


class Trainer:
    """One candidate's network, its optimiser and its compiled steps.

    In floating point it is trained as the candidate says; with INT8 rounding, and as the twin, as
    the graph that is deployed. ``observe`` is called after every step; whatever it raises ends the
    training.
    """

    def __init__(
        self,
        candidate: Candidate,
        images: ImageSet,
        recipe: Recipe,
        granularity: WeightGranularity,
        seed: int,
        observe: Callable[[Progress], None] = lambda progress: None,
    ) -> None:
        self.candidate, self.recipe = candidate, recipe
        self.sampler = PatchSampler(images, recipe.batch, recipe.patch)
        self._granularity, self._seed, self._observe = granularity, seed, observe
        self._seconds = 0.0
        self._optimise(Network(candidate.graph, seed), first_step=0, learned={})
        self.checkpoint = Checkpoint(Phase.FLOAT, 0, self._state())

    def _optimise(self, network: Network, first_step: int, learned: Weights) -> None:
        """Goes on with ``network`` as it is, and an optimiser that knows nothing of it yet.

        ``learned`` is 0 where a value stays as it is.
        """
        self.network = network
        self._variables = [variable.value for variable in network.values.values()]
        self._learned = [learned.get(name, 1.0) for name in network.values]
        self._optimizer = Adam(self.recipe, self._variables, first_step)
        self._steps: dict[bool, Step] = {}

    def _deploy(self, weights: Weights) -> None:
        """Goes on with the deployed graph, and what ``weights`` of the trained one are there."""
        if self.candidate.deployed is self.candidate.graph:
            self.network.restore(weights)
            return
        network = Network(self.candidate.deployed, self._seed)
        network.restore(network.snapshot() | self.candidate.deploy(weights, self._largest))
        self._optimise(network, self.recipe.fork_step, self.candidate.learned(weights))

    def run(self) -> Trained:
        """Trains from ``checkpoint`` on; CandidateError if the loss is NaN or a layer is dead."""
        if self.checkpoint.phase is Phase.FLOAT:
            self._advance(self.recipe.fork_step)
            self._refuse_dead_layers()
            if self.recipe.quantization is Quantization.PTQ:
                return self._quantised_afterwards()
            self._deploy(self.network.snapshot())
            forked = self._state()
            self._calibrate()
            self.checkpoint = Checkpoint(Phase.INT8, self.recipe.fork_step, self._state(), forked)
        if self.checkpoint.phase is Phase.INT8:
            self._advance(self.recipe.steps)
            forked, int8 = self.checkpoint.forked, self._rounded(self._averaged())
            self._restore(forked)
            self.checkpoint = Checkpoint(Phase.TWIN, self.recipe.fork_step, forked, int8=int8)
        self._advance(self.recipe.steps)
        return Trained(self.checkpoint.int8, self._averaged(), self._seconds)

    def _quantised_afterwards(self) -> Trained:
        self._deploy(self._averaged())
        graph, float32 = self.network.graph, self.network.snapshot()
        int8 = quantise_afterwards(graph, float32, self._granularity, self._crops())
        return Trained(int8, float32, self._seconds)

    def resume(self, checkpoint: Checkpoint) -> None:
        """Goes on where ``checkpoint`` was taken."""
        if checkpoint.phase is not Phase.FLOAT:
            self._deploy(self.network.snapshot())
        self.checkpoint = checkpoint
        self._seconds = checkpoint.gradient_seconds
        self._restore(checkpoint.current)

    def capture(self) -> Checkpoint:
        """A checkpoint of this moment."""
        at = self.checkpoint
        return Checkpoint(at.phase, at.step, self._state(), at.forked, at.int8, self._seconds)

    def usable(self) -> tuple[Graph, Weights, Mode]:
        """The network as it would be used now: averaged weights, with rounding if they know it."""
        quantise = self.checkpoint.phase is Phase.INT8
        weights = self._averaged()
        if quantise:
            weights = self._rounded(weights)
        return self.network.graph, weights, Mode(quantise, self._granularity)

    def step(self, *, quantise: bool) -> Step:
        """The compiled gradient step on uint8 LR and HR patches; returns the loss in levels."""
        if quantise not in self._steps:
            self._steps[quantise] = self._compile(self._mode(quantise))
        return self._steps[quantise]

    def _compile(self, mode: Mode) -> Step:
        lr, hr = (tf.TensorSpec(shape, tf.uint8) for shape in self.sampler.shapes)

        @tf.function(autograph=False, input_signature=[lr, hr])
        def step(lr: tf.Tensor, hr: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape() as tape:
                predicted = self.network(tf.cast(lr, tf.float32), mode=mode)
                loss = self._loss(predicted, hr)
            gradients = tape.gradient(
                loss, self._variables, unconnected_gradients=tf.UnconnectedGradients.ZERO
            )
            self._optimizer.apply(
                gradient * learned
                for gradient, learned in zip(gradients, self._learned, strict=True)
            )
            return loss

        # Traced here, so that no gradient step is charged with it.
        compiled: Step = step.get_concrete_function()
        return compiled

    def _loss(self, predicted: tf.Tensor, hr: tf.Tensor) -> tf.Tensor:
        """In grey levels."""
        error = predicted - tf.cast(hr, tf.float32)
        if self.recipe.loss is Loss.CHARBONNIER:
            return tf.reduce_mean(tf.sqrt(tf.square(error) + _CHARBONNIER_EPSILON**2))
        return tf.reduce_mean(tf.abs(error))

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
            left = self.recipe.steps_left(index + 1, twin_only=phase is Phase.TWIN)
            self._observe(Progress(phase, index + 1, self.recipe.steps, loss, left))

    def _calibrate(self) -> None:
        self.network.calibrate(tf.constant(self._crops(), tf.float32))

    def _largest(self, graph: Graph, weights: Weights) -> Weights:
        return largest_values(graph, weights, self._crops())

    def _crops(self) -> Pixels:
        return calibration_crops(self.sampler.images, self.recipe, self._seed)

    def _refuse_dead_layers(self) -> None:
        """A layer that no gradient reaches has lost all its ReLUs, and will not come back."""
        lr, hr = self.sampler.batch_of(self._seed, 0)
        kernels = self.network.kernels
        with tf.GradientTape() as tape:
            predicted = self.network(tf.cast(lr, tf.float32), mode=self._mode(quantise=False))
            loss = self._loss(predicted, hr)
        gradients = tape.gradient(loss, [kernel.value for kernel in kernels.values()])
        for name, gradient in zip(kernels, gradients, strict=True):
            if gradient is None or not np.any(gradient.numpy()):
                raise CandidateError(f"training: no gradient reaches {name!r}, the network is dead")

    def _averaged(self) -> dict[str, Array]:
        """The moving average of every value; the variables themselves stay as they are."""
        return dict(zip(self.network.values, self._optimizer.averages(), strict=True))

    def _rounded(self, weights: dict[str, Array]) -> dict[str, Array]:
        """``weights`` with kernels as the INT8 file has them."""
        return round_kernels(self.network.graph, weights, self._granularity, self._crops())

    def _state(self) -> dict[str, Array]:
        return self.network.snapshot() | self._optimizer.state()

    def _restore(self, state: dict[str, Array]) -> None:
        self.network.restore(state)
        self._optimizer.restore(state)
