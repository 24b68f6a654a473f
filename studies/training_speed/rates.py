"""At which rate the kernels of a network should be trained, by its depth and for how long.

    python -m studies.training_speed.rates NETWORK... --data DIR --steps N --rate RATE...
        [--plain]

``--plain`` trains the networks without the branches that they have in training. Each training is a
row of ``rates.csv`` beside this file as soon as it is done; the page is made of them by
``python -m studies.training_speed.page``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from latency_models import WeightGranularity
from nas.data.images import Data, load_data
from nas.latency.model_reference import find_network
from nas.system.cores import has_bfloat16
from nas.training.job import TrainingJob
from nas.training.optimizer import Learned, Optimizer
from nas.training.recipe import Recipe, Schedule
from nas.training.trainer import Trainer
from nas.training.training_run import float_quality
from search_spaces import Candidate, CandidateError, InputSpec

from ..ledger import Ledger

SCALE, SEED, TILE = 3, 0, InputSpec(160, 240)


@dataclass(frozen=True)
class Row:
    """A network of so many ``kernels``, trained in floating point at a peak ``rate``."""

    network: str
    kernels: int
    steps: int
    rate: float
    psnr_db: float | None = None
    error: str = ""


LEDGER = Ledger(Path(__file__).with_name("rates.csv"), Row)


def optimizer_at(rate: float) -> Callable[[Schedule, Sequence[Learned]], Optimizer]:
    """The product's, at another rate of kernels."""

    def make(schedule: Schedule, variables: Sequence[Learned]) -> Optimizer:
        return Optimizer(replace(schedule, kernel_rate=rate), variables)

    return make


def trained(network: str, candidate: Candidate, steps: int, rate: float, data: Data) -> Row:
    """One training, judged on the validation images."""
    recipe = Recipe(steps, bfloat16=has_bfloat16())
    job = TrainingJob(candidate, recipe, WeightGranularity.CHANNEL, SEED, TILE)
    trainer = Trainer(job, data.training, optimizer=optimizer_at(rate))
    row = Row(network, len(trainer.network.kernel_forms), steps, rate)
    try:
        weights = trainer.run()
    except CandidateError as error:
        return replace(row, error=str(error))
    return replace(row, psnr_db=float_quality(job, weights, data.validation).psnr_db)


def main() -> None:
    """Trains what is asked for and is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="+")
    parser.add_argument("--data", required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--rate", type=float, action="append", required=True)
    parser.add_argument("--plain", action="store_true")
    options = parser.parse_args()
    data = load_data(options.data, SCALE)
    for network in options.networks:
        name, candidate = network, find_network(network, SCALE).candidate
        if options.plain:
            name, candidate = f"{network}, plain", Candidate(candidate.deployed)
        for rate in options.rate:
            done = {(row.network, row.steps, row.rate) for row in LEDGER.read()}
            if (name, options.steps, rate) not in done:
                LEDGER.keep(trained(name, candidate, options.steps, rate, data))


if __name__ == "__main__":
    main()
