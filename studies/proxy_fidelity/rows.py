"""The study's trainings, one a row: the table that comes with the package, and what judges it."""

from __future__ import annotations

from pathlib import Path

from nas.quality_model.training_table import FULL_STEPS, TRAININGS_FILE, Training

from ..ledger import Ledger

#: Steps of the short trainings; of the long one, which is the truth; of a few longer ones.
LENGTHS = (60, 125, 250, 500, 1000)
LONG = FULL_STEPS
LONGER = 40_000
TRAININGS = Ledger(TRAININGS_FILE, Training)
#: Full trainings of random networks that came after the model was chosen. The package has none of
#: them, so that they can judge it.
UNSEEN = Ledger(Path(__file__).parent / "unseen.csv", Training)
