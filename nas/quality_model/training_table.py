"""The package's table of trainings: networks of ``mobile`` and of the zoo, with many lengths.

studies/proxy_fidelity writes the table, and this module reads it: a CSV file with one row per
training, and a JSON file with the conditions that all trainings have in common.
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
#: Number of steps of a full training, after which the PSNR is predicted.
FULL_STEPS = 10_000
#: Scale of all trainings of the package's table.
TABLE_SCALE = 3
#: Least number of networks with a short and a full training that a fit needs.
MIN_NETWORKS = 5
#: LR input size at which multiply-accumulates are counted.
INPUT = InputSpec(360, 640)


def macs_per_pixel(macs: int) -> float:
    """Converts multiply-accumulates of a graph at ``INPUT`` to those per LR pixel."""
    return macs / (INPUT.height * INPUT.width)


@dataclass(frozen=True)
class Training:
    """One training of a network for ``steps``; ``error`` is the reason if it failed."""

    name: str
    #: hash of the trained graph
    graph: str
    steps: int
    #: multiply-accumulates of the deployed graph at ``INPUT``
    macs: int
    parameters: int
    #: number of convolutions of the trained graph
    convolutions: int
    #: ratio of the trained graph's parameters to those after its branches are merged
    branching: float
    #: PSNR of the INT8 file in dB, and that of the floating-point network
    psnr_db: float | None = None
    psnr_float_db: float | None = None
    #: duration of training, conversion and evaluation
    seconds: float | None = None
    error: str = ""


@dataclass(frozen=True)
class Conditions:
    """Conditions of a table's trainings: fingerprints and sizes of images, package versions."""

    train: dict[str, str | int]
    valid: dict[str, str | int]
    bicubic_psnr_db: float
    versions: dict[str, str]


@dataclass(frozen=True)
class Table:
    """Trainings on the same images, and the PSNR of bicubic enlargement on these images."""

    trainings: tuple[Training, ...]
    bicubic_psnr_db: float

    @cached_property
    def lengths(self) -> tuple[int, ...]:
        """Steps of the short trainings with enough networks for a fit, in ascending order."""
        lengths = sorted({row.steps for row in self.trainings if row.steps < FULL_STEPS})
        return tuple(steps for steps in lengths if len(self.pairs(steps)) >= MIN_NETWORKS)

    def pairs(self, steps: int) -> tuple[FullTraining, ...]:
        """Returns the networks that were trained both for ``steps`` and in full."""
        full_psnr_db = {row.name: row.psnr_db for row in self.trainings if row.steps == FULL_STEPS}
        pairs = []
        for row in self.trainings:
            psnr_db = full_psnr_db.get(row.name)
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
        """Returns the table without the trainings of the network ``name``."""
        others = tuple(row for row in self.trainings if row.name != name)
        return Table(others, self.bicubic_psnr_db)


def read_table() -> Table:
    """Reads the package's table."""
    trainings = read_rows(TRAININGS_FILE, Training)
    return Table(tuple(trainings), read_conditions().bicubic_psnr_db)


def read_conditions() -> Conditions:
    """Reads the conditions of the package's table."""
    return Conditions(**json.loads(CONDITIONS_FILE.read_text(encoding="utf-8")))
