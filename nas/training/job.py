"""A training job, its progress and its result, as values without TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from latency_models import WeightGranularity
from search_spaces import Candidate, CandidateError, InputSpec

from ..quality.image_quality import Quality
from .initialization import Array
from .recipe import Recipe, Schedule

#: Values of a network as arrays; keys as in ``interpretation.Values``.
Weights = Mapping[str, Array]


class DivergedError(CandidateError):
    """Training diverged: the loss is not finite, or the network has died."""


class Phase(StrEnum):
    """A phase of training. The last two continue from the result of the first."""

    FLOAT = "float"
    INT8 = "int8"
    #: continues in floating point for as many steps as INT8 training, to measure the cost of INT8
    TWIN = "twin"


@dataclass(frozen=True)
class Progress:
    """Progress of a training: ``step`` of a phase's ``steps``, and the last loss in grey levels."""

    phase: Phase
    step: int
    steps: int
    loss: float


@dataclass(frozen=True)
class TrainingJob:
    """One training: candidate, recipe, weight granularity, seed, and tile size in validation."""

    candidate: Candidate
    recipe: Recipe
    granularity: WeightGranularity
    seed: int
    tile: InputSpec

    def schedule(self, phase: Phase, kernels: int) -> Schedule:
        """Returns the schedule of ``phase`` for a network with ``kernels`` convolution kernels."""
        recipe = self.recipe
        return recipe.float_schedule(kernels) if phase is Phase.FLOAT else recipe.int8_schedule


@dataclass(frozen=True)
class TrainingSeconds:
    """Training time, summed over all runs; ``gradient`` is the part spent in gradient steps."""

    total: float = 0.0
    gradient: float = 0.0

    def __add__(self, other: TrainingSeconds) -> TrainingSeconds:
        return TrainingSeconds(self.total + other.total, self.gradient + other.gradient)


@dataclass(frozen=True)
class TrainingResult:
    """Result of a training before conversion: weights of the deployed graph and their quality."""

    float32: Weights = field(repr=False)
    #: weights with kernels rounded to INT8 levels
    int8: Weights = field(repr=False)
    #: whether it was trained with INT8 rounding; if not, it was quantized after training
    int8_trained: bool
    #: of the floating-point network on the validation images
    float_quality: Quality = field(repr=False)
    #: PSNR of the fake-quantized network on each of the first validation images
    rounded_psnr_db: tuple[float, ...] = field(repr=False)
    seconds: TrainingSeconds
