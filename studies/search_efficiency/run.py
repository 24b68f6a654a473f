"""How many trainings each sampler needs, where trainings are simulated.

    python -m studies.search_efficiency.run [--seeds N]

The simulator is a forest (extremely randomized trees) fitted to one half of the package's networks.
What the surrogate sampler believes at first is its own Gaussian process, fitted to the other half,
or to five networks ("without the table"). Writes ``README.md`` beside this file.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import optuna
from scipy.stats import kendalltau
from sklearn.ensemble import ExtraTreesRegressor

from nas.choices import SamplerKind
from nas.quality.score import score_ratio
from nas.quality_model.features import Features, features_of, matrix_of
from nas.quality_model.networks import shipped_networks
from nas.quality_model.prior import GainPrior, gains_of
from nas.system.files import write_text

from . import real
from .simulation import SETTINGS, GainOf, Simulation

Floats = npt.NDArray[np.float64]
README = Path(__file__).parent / "README.md"
DEVICES = ("vs680", "ethos-u85-1024-regression", "dimensity8100-nnapi")
#: Trainings of each sampler's search.
TRAININGS = {
    "surrogate": 20,
    "surrogate, without the table": 20,
    "tpe": 80,
    "nsga2": 80,
    "random": 160,
}
#: Networks that stand for no table.
_FEW = 5
_TOLD = (3, 5, 10, 20, 40, 80, 160)


@lru_cache
def table() -> tuple[Floats, Floats]:
    """Features and gains of the package's networks for x3, in the order in which they came."""
    networks = shipped_networks()
    keep = [index for index, network in enumerate(networks.networks) if network.scale == 3]
    features = matrix_of([features_of(networks.networks[index].candidate) for index in keep])
    return features, gains_of(networks)[keep]


@lru_cache
def simulator() -> tuple[ExtraTreesRegressor, float, float]:
    """Of one half of the networks; its error in dB and Kendall's tau on the other half."""
    features, gains = table()
    model = ExtraTreesRegressor(300, min_samples_leaf=2, random_state=0)
    model.fit(features[::2], gains[::2])
    told, true = model.predict(features[1::2]), gains[1::2]
    error = float(np.sqrt(np.mean((told - true) ** 2)))
    return model, error, float(kendalltau(told, true).statistic)


def gain_of(features: Features) -> float:
    """What the simulator says, in dB."""
    return float(simulator()[0].predict(matrix_of([features]))[0])


def prior_of(networks: int | None) -> Callable[[], GainPrior]:
    """Fitted to so many of the half that the simulator does not know; None: all of them."""
    features, gains = (column[1::2][:networks] for column in table())
    prior = GainPrior.fitted(features, gains, shipped_networks().kernel)
    return lambda: prior


def search(name: str, device: str, seed: int, told: GainOf = gain_of) -> list[float]:
    """Best score so far, its binary logarithm, after each training."""
    kind = SamplerKind(name.partition(",")[0])
    settings = replace(SETTINGS, space="mobile", device=device, sampler=kind, seed=seed)
    prior = prior_of(_FEW if "without" in name else None)
    results = Simulation.of(settings, told, prior).run(TRAININGS[name])
    return list(np.maximum.accumulate([result.log2_score for result in results]))


def page(seeds: int) -> str:
    """What README.md says."""
    _, error, tau = simulator()
    lines = [
        "# Trainings that each sampler needs, simulated",
        "",
        f"    python -m studies.search_efficiency.run --seeds {seeds}",
        "",
        f"Searches in `mobile` for x3, {seeds} of each sampler and device, without references.",
        "What a network would reach is told by a forest fitted to one half of the package's",
        f"networks (on the other half {error:.2f} dB off, Kendall's tau {tau:.2f}); latencies are",
        "those of the regressions. What the surrogate believes at first is fitted to the other",
        f"half, or to {_FEW} networks. Medians of the best score so far, relative to the best that",
        "any search found for the device.",
    ]
    for device in DEVICES:
        traces = {n: [search(n, device, seed) for seed in range(seeds)] for n in TRAININGS}
        best = max(trace[-1] for runs in traces.values() for trace in runs)
        lines += [
            "",
            f"## {device}",
            "",
            f"| trainings | {' | '.join(map(str, _TOLD))} |",
            f"|---|{'---|' * len(_TOLD)}",
        ]
        for name, runs in traces.items():
            cells = [
                f"{score_ratio(statistics.median(trace[count - 1] for trace in runs), best):.2f}"
                if count <= TRAININGS[name]
                else ""
                for count in _TOLD
            ]
            lines.append(f"| {name} | {' | '.join(cells)} |")
            print(device, lines[-1], flush=True)
    return "\n".join([*lines, *real.section(), ""])


def main() -> None:
    """Runs all searches, and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=50)
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    write_text(README, page(options.seeds))


if __name__ == "__main__":
    main()
