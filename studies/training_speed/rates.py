"""Compares learning rates of kernels, for networks of different depths and training lengths.

    python -m studies.training_speed.rates NETWORK... --data DIR --steps N --rate RATE...
        [--plain]

``--plain`` trains the networks with their training branches merged. Each finished training is a row
of ``rates.csv`` beside this file; ``python -m studies.training_speed.page`` makes the page from it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nas.data.images import Data, load_data
from nas.latency.model_reference import find_network
from nas.training.network import Network
from nas.training.optimizer import Learned, Optimizer
from nas.training.recipe import Schedule
from search_spaces import Candidate
from search_spaces.transforms.rewrites import merge_branches

from ..ledger import Ledger
from .run import SCALE, train
from .variants import Variant

SEED = 0


@dataclass(frozen=True)
class Row:
    """A network with ``kernels`` kernels, trained in floating point at a peak ``rate``."""

    network: str
    kernels: int
    steps: int
    rate: float
    psnr_db: float | None = None
    error: str = ""
    #: How channels whose ReLUs always give 0 are revived; empty if they are not.
    waking: str = ""


#: The method of ``nas``.
WAKING = "biases are raised"
LEDGER = Ledger(Path(__file__).with_name("rates.csv"), Row)


def optimizer_at(rate: float) -> Callable[[Schedule, Sequence[Learned]], Optimizer]:
    """Returns a maker of the optimizer of ``nas`` with another learning rate of kernels."""

    def make(schedule: Schedule, variables: Sequence[Learned]) -> Optimizer:
        return Optimizer(replace(schedule, kernel_rate=rate), variables)

    return make


def trained(network: str, candidate: Candidate, steps: int, rate: float, data: Data) -> Row:
    """Runs one training, and evaluates it on the validation images."""
    kernels = len(Network(candidate.graph).kernel_forms)
    variant = Variant(f"rate {rate}", optimizer_at(rate))
    training = train(network, candidate, variant, steps, data, SEED)
    return Row(network, kernels, steps, rate, training.psnr_db, training.error, WAKING)


def main() -> None:
    """Runs the trainings that are asked for and not done yet."""
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
            name = f"{network}, plain"
            candidate = replace(candidate, graph=merge_branches(candidate.graph).graph)
        for rate in options.rate:
            done = {(row.network, row.steps, row.rate, row.waking) for row in LEDGER.read()}
            if (name, options.steps, rate, WAKING) not in done:
                LEDGER.keep(trained(name, candidate, options.steps, rate, data))


if __name__ == "__main__":
    main()
