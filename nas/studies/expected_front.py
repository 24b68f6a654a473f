"""What a search expects of the front before it has trained anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from ..quality_model.expectation import ExpectedPsnr
from ..quality_model.training_table import FULL_STEPS


@dataclass(frozen=True)
class ExpectedPoint:
    """A network that nobody has trained."""

    #: that the score counts; None: of such devices nothing is known before one network is timed
    ms: float | None
    #: after a full training
    psnr: ExpectedPsnr
    #: how many times better it is expected to score than ABPN; None: the device does not take that
    score_ratio: float | None

    @property
    def line(self) -> str:
        """For people."""
        ms = "-" if self.ms is None else f"{self.ms:.2f} ms"
        ratio = "-" if self.score_ratio is None else f"{self.score_ratio:.2f} x ABPN"
        return f"  {ms:>12}  {self.psnr.text}  score {ratio}"


@dataclass(frozen=True)
class ExpectedFront:
    """The fastest first."""

    points: tuple[ExpectedPoint, ...]

    @property
    def text(self) -> str:
        """A title, and a line each."""
        title = f"expected before any training, PSNR after {FULL_STEPS:,} steps:"
        return "\n".join([title, *(point.line for point in self.points)])

    def to_json(self) -> list[dict[str, Any]]:
        """Plain values that ``from_json`` reads back."""
        return [asdict(point) for point in self.points]

    @classmethod
    def from_json(cls, rows: Sequence[dict[str, Any]]) -> Self:
        """What ``to_json`` wrote."""
        return cls(
            tuple(
                ExpectedPoint(row["ms"], ExpectedPsnr(**row["psnr"]), row["score_ratio"])
                for row in rows
            )
        )
