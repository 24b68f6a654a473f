"""Results of short and full trainings, and the PSNR expected after a full training."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

from search_spaces import Graph, InputError
from search_spaces.transforms.rewrites import merge_branches


@dataclass(frozen=True)
class ShortTraining:
    """A short training: features of the network, training steps, and resulting PSNR.

    ``macs_per_pixel`` are multiply-accumulates of the deployed graph per pixel of the LR input;
    ``convolutions`` are counted in the trained graph; ``branching`` is the ratio of the trained
    graph's parameters to those after its branches are merged. ``psnr_db`` is the PSNR of the INT8
    file, ``bicubic_psnr_db`` that of bicubic enlargement on the same images. ``graph`` is the
    trained graph's hash, "" if the network need not be identified.
    """

    macs_per_pixel: float
    convolutions: int
    branching: float
    steps: int
    psnr_db: float
    bicubic_psnr_db: float
    graph: str = ""

    @classmethod
    def of(
        cls, graph: Graph, macs_per_pixel: float, steps: int, psnr_db: float, bicubic_psnr_db: float
    ) -> Self:
        """Makes the record for the trained graph ``graph``, whose branches are not merged."""
        return cls(
            macs_per_pixel,
            convolutions_of(graph),
            branching_of(graph),
            steps,
            psnr_db,
            bicubic_psnr_db,
            graph.hash,
        )

    @property
    def gain_db(self) -> float:
        """PSNR minus that of bicubic enlargement, in dB."""
        return self.psnr_db - self.bicubic_psnr_db


def convolutions_of(graph: Graph) -> int:
    """Returns the number of operators of ``graph`` that have a kernel."""
    return sum(node.operator.weighs for node in graph.nodes)


def branching_of(graph: Graph) -> float:
    """Returns the ratio of the parameters of ``graph`` to those after its branches are merged."""
    merged = merge_branches(graph).graph
    return 1.0 if merged is graph else graph.parameters / max(1, merged.parameters)


@dataclass(frozen=True)
class FullTraining:
    """A network's short training, and its INT8 PSNR after a full training on the same images."""

    short: ShortTraining
    psnr_db: float
    #: Name of the network, "" if it has none.
    name: str = ""

    @property
    def missing_db(self) -> float:
        """PSNR that the full training added to that of the short one, in dB."""
        return self.psnr_db - self.short.psnr_db


@dataclass(frozen=True)
class ExpectedPsnr:
    """Expected INT8 PSNR in dB after a full training, with its 90 % interval."""

    psnr_db: float
    low_db: float
    high_db: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.psnr_db) and self.low_db <= self.psnr_db <= self.high_db):
            raise InputError(
                f"expected PSNR {self.psnr_db} dB ({self.low_db} to {self.high_db}): it must be "
                "finite and within its interval"
            )

    @classmethod
    def around(cls, psnr_db: float, half_width_db: float) -> Self:
        """Returns an expectation with a symmetric interval."""
        return cls(psnr_db, psnr_db - half_width_db, psnr_db + half_width_db)

    def doubted(self, half_width_db: float) -> Self:
        """Widens the interval for a short PSNR that is itself uncertain by ``half_width_db``."""
        own_half_width_db = (self.high_db - self.low_db) / 2
        return self.around(self.psnr_db, math.hypot(own_half_width_db, half_width_db))

    @property
    def text(self) -> str:
        """The expectation as a text, such as "30.61 ± 0.12 dB"."""
        return f"{self.psnr_db:.2f} ± {(self.high_db - self.low_db) / 2:.2f} dB"
