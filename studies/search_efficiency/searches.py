"""Runs simulated searches, and records the best score and hypervolume after each training."""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from optuna.samplers import BaseSampler

from nas.choices import Objective, SamplerKind
from nas.quality_model.short_training_model import GainPrior
from nas.reporting.history import hypervolume
from nas.studies.record import Result

from ..ledger import Ledger
from .simulation import BICUBIC_DB, SETTINGS, Simulation
from .simulator import gain_of, prior_of

DEVICES = ("vs680", "ethos-u85-1024-regression", "dimensity8100-nnapi")
#: Number of networks that the prior is fitted to "without the table".
FEW = 5
#: Reference point of a front's hypervolume: this time, and the PSNR of bicubic.
SLOWEST_MS = 100.0


@dataclass(frozen=True)
class Contender:
    """A sampler of ``nas`` or of OptunaHub, and the number of trainings to simulate."""

    name: str
    trainings: int
    kind: SamplerKind = SamplerKind.RANDOM
    #: Networks of the table's other half that the surrogate's prior is fitted to; None for all.
    known: int | None = None
    #: Module of an OptunaHub sampler, and its class.
    module: str = ""
    sampler: str = ""

    def hub_sampler(self, seed: int, hub: Path | None) -> BaseSampler | None:
        """Returns the sampler from OptunaHub's checkout ``hub``; None if it is one of ``nas``."""
        if not self.module:
            return None
        assert hub is not None
        sys.path.insert(0, str(hub / "package" / "samplers"))
        found: BaseSampler = getattr(importlib.import_module(self.module), self.sampler)(seed=seed)
        return found


CONTENDERS = (
    Contender("surrogate", 40, SamplerKind.SURROGATE),
    Contender("surrogate, without the table", 40, SamplerKind.SURROGATE, known=FEW),
    Contender("tpe", 160, SamplerKind.TPE),
    Contender("nsga2", 160, SamplerKind.NSGA2),
    Contender("random", 160),
    Contender(
        "tpe_union_multivariate", 160,
        module="tpe_union_multivariate", sampler="TPEUnionMultivariateSampler",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Improvement:
    """State of a search after a training that improved it, or after its last training."""

    objective: Objective
    device: str
    contender: str
    seed: int
    training: int
    #: Best so far: binary logarithm of the score, and hypervolume that the front dominates, in dB
    #: above bicubic times halvings of ``SLOWEST_MS``.
    log2_score: float
    hypervolume: float

    @property
    def search(self) -> tuple[str, str, str, int]:
        """Key of the search that it belongs to."""
        return self.objective, self.device, self.contender, self.seed


IMPROVEMENTS = Ledger(Path(__file__).parent / "simulated.csv", Improvement)


@lru_cache
def _prior(known: int | None) -> GainPrior:
    return prior_of(known)()


def search(
    contender: Contender, objective: Objective, device: str, seed: int, hub: Path | None
) -> list[Improvement]:
    """Runs one search in ``mobile`` for x3, and returns its improvements."""
    settings = replace(
        SETTINGS, space="mobile", device=device, sampler=contender.kind, seed=seed,
        objective=objective,
    )  # fmt: skip
    simulation = Simulation.of(
        settings, gain_of, lambda: _prior(contender.known), contender.hub_sampler(seed, hub)
    )
    results = simulation.run(contender.trainings)
    steps = _progress(results)
    return [
        Improvement(objective, device, contender.name, seed, training, round(score, 4), round(v, 4))
        for training, (score, v) in enumerate(steps, 1)
        if training in (1, len(steps)) or steps[training - 2] != (score, v)
    ]


def _progress(results: Sequence[Result]) -> list[tuple[float, float]]:
    """Returns best score and hypervolume after each training."""
    best, found, gains = -math.inf, [], []
    for result in results:
        best = max(best, result.log2_score)
        halvings = math.log2(SLOWEST_MS / result.scored_ms)
        gains.append((result.expected.psnr_db - BICUBIC_DB, halvings))
        found.append((best, hypervolume(gains)))
    return found
