"""Networks that a study may train next, and the improvement that is expected of each."""

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
from .failures import success_probabilities
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
    #: PSNR in dB that a full training is expected to add to that of the study's short training
    missing_db: float

    @property
    def hash(self) -> str:
        """Hash of the candidate."""
        return self.draw.candidate.hash


@dataclass(frozen=True)
class ImprovementModel:
    """Predicts the improvement by networks from the trainings of the package and the study."""

    problem: SamplingProblem
    knowledge: StudyKnowledge
    #: intermediate results for the study's networks, shared by its successive models
    memory: StudyMemory = field(default_factory=StudyMemory, repr=False, compare=False)
    #: mean and standard deviation in dB of each predicted gain, by the network's hash
    _cached_gains: dict[str, tuple[float, float]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def improvement(self, options: Sequence[Option]) -> Floats:
        """Returns the acquisition value of each option; the highest is the most promising.

        It is the expected improvement, in doublings of the best score or as growth of the front's
        area, times the probabilities of keeping the latency limit and of a training that does not
        fail. If the former is 0 for all options, it is the negative excess over the limit in
        doublings.
        """
        if not options:
            return np.zeros(0)
        gains = self.gains(options)
        missing_db = np.array([option.missing_db for option in options])
        psnr_db = gains.mean_db + self.problem.bicubic_psnr_db + missing_db
        log2_ms = np.array([option.latency.log2_ms for option in options])
        log2_ms_deviation = np.array([option.latency.deviation for option in options])
        if self.problem.objective is Objective.SCORE:
            # The score's logarithm grows by 2 for each dB.
            value = np.array(
                [log2_score(db, 2**log2) for db, log2 in zip(psnr_db, log2_ms, strict=True)]
            )
            deviation = np.hypot(2 * gains.deviation_db, log2_ms_deviation)
            to_beat = self._log2_score_to_beat(float(value.max()))
            improvement = expected_improvement(value, deviation, to_beat)
        else:
            improvement = expected_area(
                psnr_db, gains.deviation_db, log2_ms, self._front, self._reference_point
            )
        excess = self._excess(options)
        probability = ndtr(-excess / np.maximum(log2_ms_deviation, 1e-6))
        # If no option can keep the limit, the one nearest to it is the best.
        if not probability.any():
            return np.asarray(-excess)
        return np.asarray(improvement * probability * self._success(options))

    def gains(self, options: Sequence[Option]) -> Gains:
        """Returns PSNR gains over bicubic enlargement that the study's training would reach."""
        known = self._cached_gains
        new = {option.hash: option.features for option in options if option.hash not in known}
        if new:
            predicted = self._study_gains.of(matrix_of(list(new.values())))
            known.update(
                zip(new, zip(predicted.mean_db, predicted.deviation_db, strict=True), strict=True)
            )
        rows = np.array([known[option.hash] for option in options]).reshape(-1, 2)
        return Gains(rows[:, 0], rows[:, 1])

    @cached_property
    def estimator(self) -> LatencyEstimator:
        """The latency estimator, fitted to the latencies that the study has measured."""
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

    def _success(self, options: Sequence[Option]) -> Floats:
        """Returns for each option the probability that its training does not fail."""
        known = self.knowledge
        return success_probabilities(
            [option.draw.choices for option in options],
            [row.choices for row in known.trained],
            known.failed,
        )

    def _excess(self, options: Sequence[Option]) -> Floats:
        """Returns by how many doublings each option exceeds the study's latency limit."""
        limit_ms = self.problem.settings.max_latency_ms
        return np.array([option.latency.excess(limit_ms) for option in options])

    def _log2_score_to_beat(self, expected: float) -> float:
        """Returns log2 of the best score so far, or ``expected`` if nothing is trained yet."""
        best = self.knowledge.best[:1]
        return best[0].result.log2_score if best else expected

    @cached_property
    def _front(self) -> list[FrontPoint]:
        return [
            FrontPoint(math.log2(r.result.scored_ms), r.result.expected.psnr_db)
            for r in self.knowledge.front
            if r.result is not None
        ]

    @cached_property
    def _reference_point(self) -> FrontPoint:
        """Reference point of the dominated area.

        Its PSNR is that of bicubic enlargement, its latency the study's limit or else four times
        that of the slowest trained network.
        """
        limit_ms = self.problem.settings.max_latency_ms
        slowest = [row.result.scored_ms * 4 for row in self.knowledge.trained] or [1000.0]
        log2_ms = math.log2(max(slowest) if limit_ms is None else limit_ms)
        return FrontPoint(log2_ms, self.problem.bicubic_psnr_db)
