"""The trainings that come with the package: networks of ``mobile`` and of the zoo, at many lengths.

Written by studies/proxy_fidelity, read here. One CSV row a training, and beside it what all of them
have in common.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from search_spaces import InputSpec

from ..system.files import read_rows
from .expectation import FullTraining, ShortTraining

TRAININGS_FILE = Path(__file__).parent / "trainings.csv"
CONDITIONS_FILE = Path(__file__).parent / "conditions.json"
#: Steps of a full training: what is expected is the PSNR after so many.
FULL_STEPS = 10_000
#: Scale of all its trainings.
TABLE_SCALE = 3
#: At least so many networks with both trainings are needed for a fit.
FEWEST_NETWORKS = 5
#: The size at which multiply-accumulates are counted.
INPUT = InputSpec(360, 640)


def macs_per_pixel(macs: int) -> float:
    """Of a graph with so many multiply-accumulates at ``INPUT``, per LR pixel."""
    return macs / (INPUT.height * INPUT.width)


@dataclass(frozen=True)
class Training:
    """One architecture trained for ``steps``, or why it could not be. PSNR in dB."""

    name: str
    #: hash of the trained graph
    graph: str
    steps: int
    #: of the deployed graph at ``INPUT``
    macs: int
    parameters: int
    #: of the trained graph
    convolutions: int
    #: ratio of its parameters to those of the merged graph
    branching: float
    #: of the INT8 file
    psnr_db: float | None = None
    psnr_float_db: float | None = None
    #: of training, conversion and judging
    seconds: float | None = None
    error: str = ""


@dataclass(frozen=True)
class Conditions:
    """What all trainings of a table have in common: images by fingerprint and size, packages."""

    train: dict[str, str | int]
    valid: dict[str, str | int]
    bicubic_psnr_db: float
    versions: dict[str, str]


@dataclass(frozen=True)
class Table:
    """Trainings on the same images."""

    trainings: tuple[Training, ...]
    bicubic_psnr_db: float

    @cached_property
    def lengths(self) -> tuple[int, ...]:
        """Steps of short trainings that enough networks had, the fewest first."""
        lengths = sorted({row.steps for row in self.trainings if row.steps < FULL_STEPS})
        return tuple(steps for steps in lengths if len(self.pairs(steps)) >= FEWEST_NETWORKS)

    def pairs(self, steps: int) -> tuple[FullTraining, ...]:
        """Networks that were trained for so many steps, and in full."""
        full = {row.name: row.psnr_db for row in self.trainings if row.steps == FULL_STEPS}
        pairs = []
        for row in self.trainings:
            psnr_db = full.get(row.name)
            if row.steps == steps and row.psnr_db is not None and psnr_db is not None:
                short = ShortTraining(
                    macs_per_pixel=macs_per_pixel(row.macs),
                    convolutions=row.convolutions,
                    branching=row.branching,
                    steps=steps,
                    psnr_db=row.psnr_db,
                    bicubic_psnr_db=self.bicubic_psnr_db,
                    graph=row.graph,
                )
                pairs.append(FullTraining(short, psnr_db, row.name))
        return tuple(pairs)

    def without(self, name: str) -> Table:
        """The table without the trainings of one network."""
        others = tuple(row for row in self.trainings if row.name != name)
        return Table(others, self.bicubic_psnr_db)


def read_table() -> Table:
    """The package's own table."""
    trainings = read_rows(TRAININGS_FILE, Training)
    return Table(tuple(trainings), read_conditions().bicubic_psnr_db)


def read_conditions() -> Conditions:
    """Of the package's own table."""
    return Conditions(**json.loads(CONDITIONS_FILE.read_text(encoding="utf-8")))
