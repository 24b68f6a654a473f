"""Networks that a study might train next, and how much each may be expected to improve it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from ..choices import Objective
from ..quality.score import log2_score
from ..quality_model.features import Features, matrix_of
from ..quality_model.short_training_model import Gains, StudyGains, StudyMemory
from .acquisition import FrontPoint, expected_area, expected_improvement
from .latency_estimate import EstimatedLatency, LatencyEstimator
from .problem import SamplingProblem, StudyKnowledge
from .replay import Draw

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Option:
    """A network that may be trained next."""

    draw: Draw
    features: Features = field(repr=False)
    #: of the deployed graph at the study's input
    macs: int
    latency: EstimatedLatency
    #: what a full training adds to the study's
    missing_db: float

    @property
    def hash(self) -> str:
        """The candidate's."""
        return self.draw.candidate.hash


@dataclass(frozen=True)
class ImprovementModel:
    """What to expect of networks, by the package's trainings and the study's own."""

    problem: SamplingProblem
    knowledge: StudyKnowledge
    #: of the study's networks, from model to model
    memory: StudyMemory = field(default_factory=StudyMemory, repr=False, compare=False)
    #: mean and deviation of gains that were asked for, in dB, by the network's hash
    _told: dict[str, tuple[float, float]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def improvement(self, options: Sequence[Option]) -> Floats:
        """Expected, one an option; in doublings of the score, or of a front's area."""
        if not options:
            return np.zeros(0)
        gains = self.gains(options)
        missing_db = np.array([option.missing_db for option in options])
        psnr_db = gains.mean_db + self.problem.bicubic_psnr_db + missing_db
        log2_ms = np.array([option.latency.log2_ms for option in options])
        doubt = np.array([option.latency.deviation for option in options])
        if self.problem.objective is Objective.SCORE:
            # The score's logarithm grows by 2 for each dB.
            value = np.array(
                [log2_score(db, 2**log2) for db, log2 in zip(psnr_db, log2_ms, strict=True)]
            )
            deviation = np.hypot(2 * gains.deviation_db, doubt)
            found = expected_improvement(value, deviation, self._best(float(value.max())))
        else:
            found = expected_area(psnr_db, gains.deviation_db, log2_ms, self._front, self._corner)
        excess = self._excess(options)
        likely = ndtr(-excess / np.maximum(doubt, 1e-6))
        # Where nothing keeps the limit, the nearest is the best.
        return np.asarray(found * likely if likely.any() else -excess)

    def gains(self, options: Sequence[Option]) -> Gains:
        """Over bicubic enlargement, after the study's training."""
        new = {option.hash: option.features for option in options if option.hash not in self._told}
        if new:
            told = self._study_gains.of(matrix_of(list(new.values())))
            self._told.update(
                zip(new, zip(told.mean_db, told.deviation_db, strict=True), strict=True)
            )
        rows = np.array([self._told[option.hash] for option in options]).reshape(-1, 2)
        return Gains(rows[:, 0], rows[:, 1])

    @cached_property
    def estimator(self) -> LatencyEstimator:
        """Of latencies, by all that the study's own source has timed."""
        return self.problem.estimator.with_timed(self.knowledge.timed)

    @cached_property
    def _study_gains(self) -> StudyGains:
        known = self.knowledge
        return StudyGains(
            self.problem.read_prior(),
            known.features,
            known.gain_db(self.problem.bicubic_psnr_db),
            known.pending_features,
            self.memory,
        )

    def _excess(self, options: Sequence[Option]) -> Floats:
        """Of each, over the study's limit."""
        limit_ms = self.problem.settings.max_latency_ms
        return np.array([option.latency.excess(limit_ms) for option in options])

    def _best(self, promised: float) -> float:
        """Score's logarithm of what is to be surpassed: while nothing is trained, the promise."""
        best = self.knowledge.best[:1]
        return best[0].result.log2_score if best else promised

    @cached_property
    def _front(self) -> list[FrontPoint]:
        return [
            FrontPoint(math.log2(r.result.scored_ms), r.result.expected.psnr_db)
            for r in self.knowledge.front
            if r.result is not None
        ]

    @cached_property
    def _corner(self) -> FrontPoint:
        """What a front is counted from: bicubic enlargement, at four times the slowest known."""
        limit_ms = self.problem.settings.max_latency_ms
        slowest = [row.result.scored_ms * 4 for row in self.knowledge.trained] or [1000.0]
        log2_ms = math.log2(max(slowest) if limit_ms is None else limit_ms)
        return FrontPoint(log2_ms, self.problem.bicubic_psnr_db)
