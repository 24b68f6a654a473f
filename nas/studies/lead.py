"""By how much one network beats another, and how much of that is doubt of predicted latencies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from ..choices import Risk
from ..quality.score import log2_score, score_ratio, scored_ms
from .record import Result


@dataclass(frozen=True)
class Lead:
    """How many times better a network scores than another, by the times that both may take.

    Without a predicted latency all are the same.
    """

    #: as the study counts
    counted: float
    #: at the predictions, and at the means over their intervals
    predicted: float
    mean: float
    #: at the ends of the intervals: the network slow and the other fast, and the other way round
    least: float
    most: float
    #: is one of the latencies a prediction?
    is_predicted: bool

    @classmethod
    def of(cls, network: Result, other: Result) -> Self:
        """That of ``network`` over ``other``."""
        own, others = network.latency, other.latency

        def at(own_ms: float, other_ms: float) -> float:
            return score_ratio(
                log2_score(network.expected.psnr_db, own_ms),
                log2_score(other.expected.psnr_db, other_ms),
            )

        return cls(
            counted=score_ratio(network.log2_score, other.log2_score),
            predicted=at(own.ms, others.ms),
            mean=at(scored_ms(own, Risk.MEAN), scored_ms(others, Risk.MEAN)),
            least=at(own.promised_ms, others.least_ms),
            most=at(own.least_ms, others.promised_ms),
            is_predicted=own.is_predicted or others.is_predicted,
        )

    @property
    def from_doubt(self) -> float:
        """What the predictions have above the means; below 0 where the other loses more by them."""
        return self.predicted - self.mean

    @property
    def text(self) -> str:
        """For people."""
        if not self.is_predicted:
            return f"{self.counted:.2f} x"
        return (
            f"{self.predicted:.2f} x at the predicted latencies, {self.mean:.2f} x at the means "
            f"over their intervals ({self.from_doubt:+.2f} is doubt), {self.least:.2f} x to "
            f"{self.most:.2f} x at the intervals' ends"
        )
