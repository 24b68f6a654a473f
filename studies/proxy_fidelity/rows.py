"""The study's trainings, one per row: the package's table, and a table to test its model."""

from __future__ import annotations

from pathlib import Path

from nas.quality_model.training_table import FULL_STEPS, TRAININGS_FILE, Training

from ..ledger import Ledger

#: Steps of the short trainings, of the long one, whose PSNR counts as true, and of longer ones.
LENGTHS = (60, 125, 250, 500, 1000)
LONG = FULL_STEPS
LONGER = 40_000
TRAININGS = Ledger(TRAININGS_FILE, Training)
#: Full trainings of random networks that were made after the model was chosen. The package does not
#: contain them, so they can test the model.
UNSEEN = Ledger(Path(__file__).parent / "unseen.csv", Training)
