"""The study's trainings, one a row."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))  # for what the studies share

from ledger import Ledger

#: Steps of the short trainings; of the long one, which is the truth; of a few longer ones.
LENGTHS = (60, 125, 250, 500, 1000)
LONG = 10_000
LONGER = 40_000


@dataclass(frozen=True)
class Training:
    """One architecture trained for ``steps``, or why it could not be. MACs at 360x640."""

    name: str
    candidate: str
    steps: int
    macs: int
    parameters: int
    psnr_db: float | None = None
    psnr_float_db: float | None = None
    #: of training, conversion and judging
    seconds: float | None = None
    error: str = ""


TRAININGS = Ledger(Path(__file__).parent / "trainings.csv", Training)
CONDITIONS = Path(__file__).parent / "conditions.json"


@dataclass(frozen=True)
class Conditions:
    """What all trainings have in common: images by what tells them from others, and packages."""

    train: dict[str, str | int]
    valid: dict[str, str | int]
    bicubic_psnr_db: float
    versions: dict[str, str]


def read_conditions() -> Conditions:
    """What ``run.py`` wrote down when it began."""
    return Conditions(**json.loads(CONDITIONS.read_text()))
