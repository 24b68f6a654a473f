"""The Pareto front that a search predicts before it trains anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from ..quality_model.expectation import ExpectedPsnr
from ..quality_model.training_table import FULL_STEPS


@dataclass(frozen=True)
class ExpectedPoint:
    """The predicted latency, PSNR and score of a network that has not been trained."""

    #: Latency that the score uses; None if this device's latencies cannot be estimated before a
    #: first network is timed on it.
    ms: float | None
    #: PSNR after a full training.
    psnr: ExpectedPsnr
    #: Expected score divided by ABPN's; None if the device does not support ABPN.
    score_ratio: float | None

    @property
    def line(self) -> str:
        """One line of text for display."""
        ms = "-" if self.ms is None else f"{self.ms:.2f} ms"
        ratio = "-" if self.score_ratio is None else f"{self.score_ratio:.2f} x ABPN"
        return f"  {ms:>12}  {self.psnr.text}  score {ratio}"


@dataclass(frozen=True)
class ExpectedFront:
    """Predicted points of the Pareto front, the fastest network first."""

    points: tuple[ExpectedPoint, ...]

    @property
    def text(self) -> str:
        """A title line and one line for each point."""
        title = f"expected before any training, PSNR after {FULL_STEPS:,} steps:"
        return "\n".join([title, *(point.line for point in self.points)])

    def to_json(self) -> list[dict[str, Any]]:
        """Returns JSON values that ``from_json`` reads back."""
        return [asdict(point) for point in self.points]

    @classmethod
    def from_json(cls, rows: Sequence[dict[str, Any]]) -> Self:
        """Reads the values that ``to_json`` returned."""
        return cls(
            tuple(
                ExpectedPoint(row["ms"], ExpectedPsnr(**row["psnr"]), row["score_ratio"])
                for row in rows
            )
        )
