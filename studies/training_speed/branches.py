"""At which rate the kernels of a convolution with branches should be trained.

    python -m studies.training_speed.branches NETWORK... --data DIR --steps N --share SHARE...

The whole rate is 1; 0 trains the same network without its branches. Each training is a row of
``branches.csv`` beside this file as soon as it is done.
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
from search_spaces import Candidate, InputSpec

from ..ledger import Ledger

SCALE, SEED, TILE = 3, 0, InputSpec(160, 240)


@dataclass(frozen=True)
class Row:
    """A network trained with ``share`` of the rate, in floating point."""

    network: str
    steps: int
    share: float
    psnr_db: float


LEDGER = Ledger(Path(__file__).with_name("branches.csv"), Row)


def optimizer_of(share: float) -> Callable[[Schedule, Sequence[Learned]], Optimizer]:
    """The product's, with that share of the rate for kernels of convolutions with branches."""

    def make(schedule: Schedule, variables: Sequence[Learned]) -> Optimizer:
        return Optimizer(replace(schedule, branched_rate=share * schedule.kernel_rate), variables)

    return make


def psnr_db(candidate: Candidate, steps: int, share: float, data: Data) -> float:
    """After a training of ``steps``, on the validation images."""
    if share == 0:
        candidate = Candidate(candidate.deployed)
    recipe = Recipe(steps, bfloat16=has_bfloat16())
    job = TrainingJob(candidate, recipe, WeightGranularity.CHANNEL, SEED, TILE)
    weights = Trainer(job, data.training, optimizer=optimizer_of(share)).run()
    return float_quality(job, weights, data.validation).psnr_db


def main() -> None:
    """Trains what is asked for and is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="+")
    parser.add_argument("--data", required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--share", type=float, action="append", required=True)
    options = parser.parse_args()
    data = load_data(options.data, SCALE)
    for network in options.networks:
        candidate = find_network(network, SCALE).candidate
        for share in options.share:
            done = {(row.network, row.steps, row.share) for row in LEDGER.read()}
            if (network, options.steps, share) not in done:
                found = psnr_db(candidate, options.steps, share, data)
                LEDGER.keep(Row(network, options.steps, share, found))


if __name__ == "__main__":
    main()
