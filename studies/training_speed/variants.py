"""What is compared: ways to train, and the rows that tell how far each came."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rivals import Soap, adam

from nas.choices import Loss
from nas.networks.optimizer import Learned, Optimizer
from nas.networks.recipe import Recipe, Schedule

sys.path.append(str(Path(__file__).parents[1]))  # for what the studies share

from ledger import Ledger


@dataclass(frozen=True)
class Training:
    """One network trained by a variant for ``steps``: PSNR in floating point, gradient seconds."""

    network: str
    variant: str
    steps: int
    psnr_db: float | None = None
    seconds: float | None = None
    error: str = ""


TRAININGS = Ledger(Path(__file__).parent / "trainings.csv", Training)


@dataclass(frozen=True)
class Variant:
    """A way to train: an optimizer, and what differs from the product's recipe."""

    name: str
    optimizer: Callable[[Schedule, Sequence[Learned]], Optimizer] = Optimizer
    changes: Mapping[str, Any] = field(default_factory=dict)

    def recipe(self, steps: int, *, bfloat16: bool) -> Recipe:
        """For a training of ``steps``."""
        return Recipe(**{"steps": steps, "bfloat16": bfloat16, **self.changes})


VARIANTS = (
    Variant("orthogonalized"),
    Variant("adam", adam),
    Variant("adam 4e-3", adam, {"learning_rate": 4e-3}),
    Variant("soap 1e-3", Soap, {"learning_rate": 1e-3}),
    Variant("soap 2e-3", Soap, {"learning_rate": 2e-3}),
    Variant("rate 0.004", changes={"kernel_rate": 4e-3}),
    Variant("rate 0.0056", changes={"kernel_rate": 5.6e-3}),
    Variant("rate 0.011", changes={"kernel_rate": 1.1e-2}),
    Variant("rate 0.022", changes={"kernel_rate": 2.2e-2}),
    Variant("biases 4e-3", changes={"learning_rate": 4e-3}),
    Variant("warm-up 15 %", changes={"warmup_fraction": 0.15}),
    Variant("8 crops", changes={"batch": 8}),
    Variant("32 crops", changes={"batch": 32}),
    Variant("4 crops of 64x64", changes={"batch": 4, "patch": 64}),
    Variant("charbonnier", changes={"loss": Loss.CHARBONNIER}),
)
