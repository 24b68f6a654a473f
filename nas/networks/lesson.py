"""What is asked of a training, what it says on the way, and what it gives: without TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from latency_models import WeightGranularity
from search_spaces import Candidate, InputSpec

from ..images.quality import Quality
from .initialisation import Array
from .recipe import Recipe

#: A network's values as arrays, by the names of ``interpretation.Values``.
Weights = Mapping[str, Array]


class Phase(StrEnum):
    """A stretch of the schedule. Post-training quantisation knows only the first."""

    FLOAT = "float"
    INT8 = "int8"
    TWIN = "twin"


@dataclass(frozen=True)
class Progress:
    """Where a training stands: ``step`` of ``steps``, and the last loss in grey levels."""

    phase: Phase
    step: int
    steps: int
    loss: float
    #: gradient steps still to come, the twin's included
    steps_left: int


@dataclass(frozen=True)
class Trained:
    """Averaged weights with INT8 rounding, those of the twin, and what it took."""

    int8: Weights = field(repr=False)
    float32: Weights = field(repr=False)
    gradient_seconds: float


@dataclass(frozen=True)
class Lesson:
    """One training: what of, how, and the tile by which the result is judged."""

    candidate: Candidate
    recipe: Recipe
    granularity: WeightGranularity
    seed: int
    tile: InputSpec


@dataclass(frozen=True)
class Taught:
    """What a training gave, before there is any file of it."""

    trained: Trained
    #: of the floating-point twin on the validation images
    float_quality: Quality = field(repr=False)
    #: PSNR of the fake-quantised network on the first of them
    rounded_psnr_db: tuple[float, ...] = field(repr=False)
    training_seconds: float
    judging_seconds: float
