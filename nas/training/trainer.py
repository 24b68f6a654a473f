"""Trains one candidate in phases: in floating point, then with INT8 rounding if requested.

In training with INT8 rounding, every tensor between operators is rounded in each step, kernels are
rounded after the last step.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from search_spaces import Graph

from ..choices import Loss
from ..data.images import ImageSet
from ..data.patches import PatchSampler
from ..data.pixels import Pixels
from ..quantization.calibration import calibration_crops, largest_values
from ..quantization.rounding import round_kernels
from .identity_path import has_living_path
from .initialization import Array, initial_parameters
from .interpretation import Mode
from .job import DivergedError, Phase, Progress, TrainingJob, TrainingSeconds, Weights
from .network import Network
from .optimizer import Learned, Optimizer
from .recipe import Schedule
from .tensorflow_quietly import tf

#: In grey levels: the usual thousandth of the image range (Lai et al., LapSRN, CVPR 2017).
_CHARBONNIER_EPSILON = 0.255
#: A gradient step: takes LR and HR patches, and returns the loss.
Step = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


@dataclass(frozen=True)
class Checkpoint:
    """State from which a training can resume: phase, step, and every array by name."""

    phase: Phase
    step: int
    state: Weights = field(repr=False)
    seconds: TrainingSeconds = field(default_factory=TrainingSeconds)
    #: values of the deployed graph after each finished phase
    finished: Mapping[Phase, Weights] = field(repr=False, default_factory=dict)


class Trainer:
    """Trains one phase: holds its network, its optimizer and its compiled step.

    The floating-point phase trains the candidate's training graph; the other phases train the
    deployed graph, starting from the values of the floating-point phase in ``finished``.
    ``observe`` is called after every step; an exception that it raises ends the training.
    ``seconds`` is the time of earlier phases, to which this one's is added. Studies pass other
    ``optimizer`` classes.
    """

    def __init__(
        self,
        job: TrainingJob,
        images: ImageSet,
        phase: Phase = Phase.FLOAT,
        finished: Mapping[Phase, Weights] | None = None,
        observe: Callable[[Progress], None] = lambda progress: None,
        seconds: TrainingSeconds = TrainingSeconds(),  # noqa: B008 - it is immutable
        optimizer: Callable[[Schedule, Sequence[Learned]], Optimizer] = Optimizer,
    ) -> None:
        self.job, self.phase, self._finished = job, phase, dict(finished or {})
        self.sampler = PatchSampler(images, job.recipe.batch, job.recipe.patch)
        self._observe = observe
        self.step_index, self.seconds = 0, seconds
        self._compiled: Step | None = None
        self.network, masks = self._first_network()
        forms = self.network.kernel_forms
        self._schedule = job.schedule(phase, len(forms))
        self._optimizer = optimizer(
            self._schedule,
            [
                Learned(variable.value, forms.get(name), masks.get(name), name.endswith("/bias"))
                for name, variable in self.network.values.items()
            ],
        )

    def _first_network(self) -> tuple[Network, Weights]:
        """Returns the initial network, and masks that are 0 for values that must not change."""
        candidate = self.job.candidate
        if self.phase is Phase.FLOAT:
            return Network(candidate.graph, self.job.seed), {}
        network = Network(candidate.deployed, self.job.seed)
        network.restore(self._finished[Phase.FLOAT])
        if self.phase is Phase.INT8:
            network.calibrate(tf.constant(self._crops(), tf.float32))
        if candidate.deployed is candidate.graph:
            return network, {}
        return network, candidate.learned(initial_parameters(candidate.graph, self.job.seed))

    def run(self) -> dict[str, Array]:
        """Trains to the end of the phase.

        Returns the values of the deployed graph, averaged over steps. Raises DivergedError if the
        loss is not finite or the network is dead.
        """
        self._train_remaining_steps()
        self._require_living_path()
        weights = self._averaged_weights()
        match self.phase:
            case Phase.FLOAT:
                return self._deployed_weights(weights)
            case Phase.INT8:
                return self._with_rounded_kernels(weights)
            case Phase.TWIN:
                return weights

    def resume(self, checkpoint: Checkpoint) -> None:
        """Resumes from a ``checkpoint`` of this phase."""
        self.step_index, self.seconds = checkpoint.step, checkpoint.seconds
        self.network.restore(checkpoint.state)
        self._optimizer.restore(checkpoint.state)

    def capture(self) -> Checkpoint:
        """Returns a checkpoint of the current state."""
        state = self.network.snapshot() | self._optimizer.state()
        return Checkpoint(self.phase, self.step_index, state, self.seconds, self._finished)

    def averaged_network(self) -> tuple[Graph, Weights, Mode]:
        """Returns the network for inference, with averaged weights.

        In the INT8 phase it rounds as the INT8 file will.
        """
        weights, quantize = self._averaged_weights(), self.phase is Phase.INT8
        if quantize:
            weights = self._with_rounded_kernels(weights)
        return self.network.graph, weights, Mode(quantize, self.job.granularity)

    @property
    def step(self) -> Step:
        """The compiled gradient step on uint8 LR and HR patches; it returns the loss in levels."""
        if self._compiled is None:
            self._compiled = self._compile()
        return self._compiled

    def _compile(self) -> Step:
        lr, hr = (tf.TensorSpec(shape, tf.uint8) for shape in self.sampler.shapes)
        variables = [variable.value for variable in self.network.values.values()]

        @tf.function(autograph=False, input_signature=[lr, hr])
        def step(lr: tf.Tensor, hr: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape() as tape:
                loss = self._loss(self._predict(lr), hr)
            self._optimizer.apply(
                tape.gradient(loss, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)
            )
            return loss

        # Traced here, so that the time of the first gradient step does not include tracing.
        compiled: Step = step.get_concrete_function()
        return compiled

    def _predict(self, lr: tf.Tensor) -> tf.Tensor:
        mode = Mode(
            self.phase is Phase.INT8, self.job.granularity, self.job.recipe.bfloat16, training=True
        )
        return self.network(tf.cast(lr, tf.float32), mode=mode)

    def _loss(self, predicted: tf.Tensor, hr: tf.Tensor) -> tf.Tensor:
        """Returns the loss in grey levels."""
        error = predicted - tf.cast(hr, tf.float32)
        if self.job.recipe.loss is Loss.CHARBONNIER:
            return tf.reduce_mean(tf.sqrt(tf.square(error) + _CHARBONNIER_EPSILON**2))
        return tf.reduce_mean(tf.abs(error))

    def _train_remaining_steps(self) -> None:
        """Takes the steps up to the last one of the schedule."""
        # The later phases see other crops than the first one, both the same.
        first = 0 if self.phase is Phase.FLOAT else self.job.recipe.steps
        steps = self._schedule.steps
        step = self.step
        while self.step_index < steps:
            started = time.perf_counter()
            lr, hr = self.sampler.batch_of(self.job.seed, first + self.step_index)
            cropped_at = time.perf_counter()
            loss = float(step(lr, hr))
            ended = time.perf_counter()
            self.seconds += TrainingSeconds(ended - started, ended - cropped_at)
            if not math.isfinite(loss):
                raise DivergedError(
                    f"training: the loss is {loss} at step {self.step_index} ({self.phase})"
                )
            self.step_index += 1
            self._observe(Progress(self.phase, self.step_index, steps, loss))

    def _require_living_path(self) -> None:
        """Raises DivergedError if every path through the network's convolutions is dead.

        A convolution that no gradient reaches is before or behind ReLUs that are 0 for all inputs,
        and does not recover.
        """
        lr, hr = self.sampler.batch_of(self.job.seed, 0)
        kernels = self.network.kernels
        with tf.GradientTape() as tape:
            loss = self._loss(self._predict(tf.constant(lr)), hr)
        gradients = tape.gradient(loss, [kernel.value for kernel in kernels.values()])
        dead = [
            name
            for name, gradient in zip(kernels, gradients, strict=True)
            if gradient is None or not np.any(gradient.numpy())
        ]
        if not has_living_path(self.network.graph, frozenset(dead)):
            raise DivergedError(f"training: no gradient reaches {dead[0]!r}, the network is dead")

    def _averaged_weights(self) -> dict[str, Array]:
        """Returns the moving average of every value; does not change the variables."""
        return dict(zip(self.network.values, self._optimizer.averages(), strict=True))

    def _deployed_weights(self, weights: dict[str, Array]) -> dict[str, Array]:
        """Returns the ``weights`` of the training graph converted to the deployed graph."""
        candidate = self.job.candidate
        if candidate.deployed is candidate.graph:
            return weights
        crops = self._crops()
        converted = candidate.deploy(weights, lambda graph, w: largest_values(graph, w, crops))
        return Network(candidate.deployed, self.job.seed).snapshot() | converted

    def _with_rounded_kernels(self, weights: dict[str, Array]) -> dict[str, Array]:
        """Returns ``weights`` with kernels rounded as in the INT8 file."""
        return round_kernels(self.network.graph, weights, self.job.granularity, self._crops())

    def _crops(self) -> Pixels:
        return calibration_crops(self.sampler.images, self.job.recipe, self.job.seed)


@dataclass(frozen=True)
class TrainedPhases:
    """Values of the deployed graph after each phase, and the time of all phases."""

    weights: Mapping[Phase, Weights] = field(repr=False)
    seconds: TrainingSeconds


def train_phases(
    job: TrainingJob,
    images: ImageSet,
    phases: Sequence[Phase],
    begin: Callable[[Trainer], None],
    observe: Callable[[Progress], None],
    checkpoint: Checkpoint | None = None,
) -> TrainedPhases:
    """Trains ``phases`` in order, continuing from ``checkpoint`` if it is given.

    ``begin`` is called with the trainer of each phase before its first step, ``observe`` after
    every step.
    """
    finished = dict(checkpoint.finished) if checkpoint else {}
    seconds = checkpoint.seconds if checkpoint else TrainingSeconds()
    for phase in phases:
        if phase in finished:
            continue
        trainer = Trainer(job, images, phase, finished, observe, seconds)
        if checkpoint is not None and checkpoint.phase is phase:
            trainer.resume(checkpoint)
        begin(trainer)
        finished[phase] = trainer.run()
        seconds = trainer.seconds
    return TrainedPhases(finished, seconds)
