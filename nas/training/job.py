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

#: A network's values as arrays, by the names of ``interpretation.Values``.
Weights = Mapping[str, Array]


class DivergedError(CandidateError):
    """Training diverged: the loss is not finite, or the network has died."""


class Phase(StrEnum):
    """A phase of training. The last two continue from the result of the first."""

    FLOAT = "float"
    INT8 = "int8"
    #: in floating point for as long as INT8 training, to tell what INT8 costs
    TWIN = "twin"


@dataclass(frozen=True)
class Progress:
    """Progress of a training: ``step`` of a phase's ``steps``, the last loss in grey levels."""

    phase: Phase
    step: int
    steps: int
    loss: float


@dataclass(frozen=True)
class TrainingJob:
    """One training: the candidate, the recipe, and the tile size of its validation."""

    candidate: Candidate
    recipe: Recipe
    granularity: WeightGranularity
    seed: int
    tile: InputSpec

    def schedule(self, phase: Phase, kernels: int) -> Schedule:
        """Of the steps of ``phase``, for a network of so many ``kernels``."""
        recipe = self.recipe
        return recipe.float_schedule(kernels) if phase is Phase.FLOAT else recipe.int8_schedule


@dataclass(frozen=True)
class TrainingSeconds:
    """Time that training took, all runs together; ``gradient`` is the part in gradient steps."""

    total: float = 0.0
    gradient: float = 0.0

    def __add__(self, other: TrainingSeconds) -> TrainingSeconds:
        return TrainingSeconds(self.total + other.total, self.gradient + other.gradient)


@dataclass(frozen=True)
class TrainingResult:
    """Result of a training, before conversion: the weights of the deployed graph."""

    float32: Weights = field(repr=False)
    #: kernels on their INT8 levels
    int8: Weights = field(repr=False)
    #: was it trained with INT8 rounding, or quantized afterwards?
    int8_trained: bool
    #: of the floating-point network on the validation images
    float_quality: Quality = field(repr=False)
    #: PSNR of the fake-quantized network on the first of them
    rounded_psnr_db: tuple[float, ...] = field(repr=False)
    seconds: TrainingSeconds
