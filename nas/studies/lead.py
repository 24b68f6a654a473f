"""The ratio of two networks' scores, and its uncertainty where latencies are predicted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from ..choices import Risk
from ..quality.score import log2_score, score_ratio, scored_ms
from .record import Result


@dataclass(frozen=True)
class Lead:
    """Ratios of a network's score to another's, for different values of predicted latencies.

    If neither latency is predicted, all ratios are the same.
    """

    #: Ratio at the latencies that the study's scores use (its setting ``risk``).
    counted: float
    #: Ratio at the predicted latencies.
    predicted: float
    #: Ratio at the means of the latencies over their prediction intervals.
    mean: float
    #: Ratio with the network at the slow end of its interval, the other at its fast end.
    least: float
    #: Ratio with the network at the fast end of its interval, the other at its slow end.
    most: float
    #: Whether at least one of the latencies is a prediction.
    is_predicted: bool

    @classmethod
    def of(cls, network: Result, other: Result) -> Self:
        """Returns the lead of ``network`` over ``other``."""
        own, others = network.latency, other.latency

        def ratio_at(own_ms: float, other_ms: float) -> float:
            return score_ratio(
                log2_score(network.expected.psnr_db, own_ms),
                log2_score(other.expected.psnr_db, other_ms),
            )

        return cls(
            counted=score_ratio(network.log2_score, other.log2_score),
            predicted=ratio_at(own.ms, others.ms),
            mean=ratio_at(scored_ms(own, Risk.MEAN), scored_ms(others, Risk.MEAN)),
            least=ratio_at(own.promised_ms, others.least_ms),
            most=ratio_at(own.least_ms, others.promised_ms),
            is_predicted=own.is_predicted or others.is_predicted,
        )

    @property
    def from_doubt(self) -> float:
        """The part of ``predicted`` that is due to uncertainty: ``predicted`` minus ``mean``.

        It is negative where taking the means lowers the other network's score more.
        """
        return self.predicted - self.mean

    @property
    def text(self) -> str:
        """One line of text for display."""
        if not self.is_predicted:
            return f"{self.counted:.2f} x"
        return (
            f"{self.predicted:.2f} x at the predicted latencies, {self.mean:.2f} x at the means "
            f"over their intervals ({self.from_doubt:+.2f} is doubt), {self.least:.2f} x to "
            f"{self.most:.2f} x at the intervals' ends"
        )
