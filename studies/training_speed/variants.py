"""The ways to train that are compared, and the rows of their results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nas.choices import Loss
from nas.training.optimizer import Learned, Optimizer
from nas.training.recipe import Recipe, Schedule

from ..ledger import Ledger
from .rivals import Damped30, Soap, Undamped, adam


@dataclass(frozen=True)
class Training:
    """A network trained by a variant for ``steps``: PSNR in floating point, gradient seconds."""

    network: str
    variant: str
    steps: int
    psnr_db: float | None = None
    seconds: float | None = None
    error: str = ""


TRAININGS = Ledger(Path(__file__).parent / "trainings.csv", Training)


@dataclass(frozen=True)
class Variant:
    """A way to train: an optimizer, and changes to the recipe of ``nas``."""

    name: str
    optimizer: Callable[[Schedule, Sequence[Learned]], Optimizer] = Optimizer
    changes: Mapping[str, Any] = field(default_factory=dict)

    def recipe(self, steps: int, *, bfloat16: bool) -> Recipe:
        """Returns the recipe for a training of ``steps``."""
        return Recipe(**{"steps": steps, "bfloat16": bfloat16, **self.changes})


VARIANTS = (
    Variant("orthogonalized"),
    Variant("adam", adam),
    Variant("adam 4e-3", adam, {"learning_rate": 4e-3}),
    Variant("soap 1e-3", Soap, {"learning_rate": 1e-3}),
    Variant("soap 2e-3", Soap, {"learning_rate": 2e-3}),
    *(Variant(f"rate {rate}", changes={"kernel_rate": rate}) for rate in (0.008, 0.016, 0.022)),
    *(
        Variant(f"undamped, rate {rate}", Undamped, {"kernel_rate": rate})
        for rate in (0.004, 0.0056, 0.008, 0.011, 0.022)
    ),
    Variant("damped 30 times, rate 0.008", Damped30, {"kernel_rate": 0.008}),
    Variant("biases 4e-3", changes={"learning_rate": 4e-3}),
    Variant("warm-up 15 %", changes={"warmup_fraction": 0.15}),
    Variant("8 crops", changes={"batch": 8}),
    Variant("32 crops", changes={"batch": 32}),
    Variant("4 crops of 64x64", changes={"batch": 4, "patch": 64}),
    Variant("undamped, rate 0.008, 8 crops", Undamped, {"kernel_rate": 0.008, "batch": 8}),
    Variant("charbonnier", changes={"loss": Loss.CHARBONNIER}),
)
