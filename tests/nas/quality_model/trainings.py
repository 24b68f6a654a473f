"""Tables of trainings whose law is known."""

from __future__ import annotations

import math
import random

from nas.quality_model.training_table import FULL_STEPS, INPUT, Table, Training

BICUBIC_DB = 26.4
STEPS = (125, 500)


def missing_db(steps: int, log2_macs: float) -> float:
    """The law: what a full training adds, more to large networks and to short trainings."""
    return 0.05 * (math.log2(FULL_STEPS / steps) * (1 + 0.2 * (log2_macs - 14)))


def make_table(networks: int = 40, seed: int = 0, noise_db: float = 0.02) -> Table:
    """Of networks that obey it but for some noise, and some that lose the image."""
    rng, rows = random.Random(seed), []
    for index in range(networks):
        log2_macs = rng.uniform(12, 16)
        full_db = BICUBIC_DB + 0.3 + 0.1 * (log2_macs - 12) + rng.gauss(0, 0.1)
        lost = index % 8 == 7
        for steps in (*STEPS, FULL_STEPS):
            less_db = missing_db(steps, log2_macs) + rng.gauss(0, noise_db)
            if lost:
                less_db += 4.0
            rows.append(
                Training(
                    name=f"network-{index}",
                    graph=f"{seed}-{index}",
                    steps=steps,
                    macs=round(2**log2_macs * INPUT.height * INPUT.width),
                    parameters=1000,
                    convolutions=6,
                    branching=1.0,
                    psnr_db=full_db - (less_db if steps < FULL_STEPS else 0.0),
                )
            )
    return Table(tuple(rows), BICUBIC_DB)
