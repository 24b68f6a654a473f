"""Measures how many trainings each sampler needs, in searches with simulated trainings.

    python -m studies.search_efficiency.run [--seeds N] [--fronts N] [--optunahub DIR]

The simulator is a forest (extremely randomized trees) fitted to one half of the package's networks.
The prior of the surrogate sampler is its own Gaussian process, fitted to the other half, or to five
networks ("without the table"). ``DIR`` is a checkout of
https://github.com/optuna/optunahub-registry, whose conditional TPE is compared too. Each finished
search is kept in ``simulated.csv``, and the same command continues. Writes ``README.md`` beside
this file.
"""

from __future__ import annotations

import argparse
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import optuna

from nas.choices import Objective
from nas.quality.score import score_ratio
from nas.system.files import write_text

from . import real
from .searches import CONTENDERS, DEVICES, FEW, IMPROVEMENTS, SLOWEST_MS, Improvement, search
from .simulator import simulator

README = Path(__file__).parent / "README.md"
#: Numbers of trainings that the tables have columns for.
_COLUMNS = (3, 5, 10, 20, 40, 80, 160)
#: A search is near the best of all searches if it is within these distances.
_NEAR_LOG2_SCORE = 0.05
_NEAR_HYPERVOLUME = 0.01

#: The improvements of one search, in order.
Trace = Sequence[Improvement]


def after(trace: Trace, trainings: int) -> Improvement:
    """Returns the last improvement of a search within its first ``trainings`` trainings."""
    return [step for step in trace if step.training <= trainings][-1]


def needed(trace: Trace, is_near: Callable[[Improvement], bool]) -> float:
    """Returns the trainings until a search was near the best; infinite if it never was."""
    return next((float(step.training) for step in trace if is_near(step)), float("inf"))


def traces_of(objective: Objective, device: str) -> dict[str, list[Trace]]:
    """Returns the traces of each contender that has any, one per seed."""
    found: dict[str, dict[int, list[Improvement]]] = defaultdict(lambda: defaultdict(list))
    for step in IMPROVEMENTS.read():
        if (step.objective, step.device) == (objective, device):
            found[step.contender][step.seed].append(step)
    names = [contender.name for contender in CONTENDERS if contender.name in found]
    return {name: list(found[name].values()) for name in names}


def section(device: str) -> list[str]:
    """Returns lines of Markdown on one device."""
    lines = ["", f"## {device}"]
    scores, fronts = (traces_of(objective, device) for objective in Objective)
    if scores:
        best = max(trace[-1].log2_score for runs in scores.values() for trace in runs)
        lines += _table(
            "score",
            f"{_NEAR_LOG2_SCORE} of the best",
            scores,
            lambda step: score_ratio(step.log2_score, best),
            lambda step: step.log2_score >= best - _NEAR_LOG2_SCORE,
        )
    if fronts:
        most = max(trace[-1].hypervolume for runs in fronts.values() for trace in runs)
        lines += _table(
            "hypervolume",
            f"{100 * _NEAR_HYPERVOLUME:.0f} % of the largest",
            fronts,
            lambda step: step.hypervolume / most,
            lambda step: step.hypervolume >= (1 - _NEAR_HYPERVOLUME) * most,
        )
    return lines


def _table(
    quantity: str,
    distance: str,
    traces: Mapping[str, Sequence[Trace]],
    share: Callable[[Improvement], float],
    is_near: Callable[[Improvement], bool],
) -> list[str]:
    columns = " | ".join(f"{quantity} after {count}" for count in _COLUMNS)
    return [
        "",
        f"| sampler | searches | {columns} | trainings to within {distance} |",
        f"|---|---|{'---|' * (len(_COLUMNS) + 1)}",
        *(_row(name, runs, share, is_near) for name, runs in traces.items()),
    ]


def _row(
    name: str,
    runs: Sequence[Trace],
    share: Callable[[Improvement], float],
    is_near: Callable[[Improvement], bool],
) -> str:
    trainings = next(c.trainings for c in CONTENDERS if c.name == name)
    cells = [
        f"{statistics.median(share(after(run, count)) for run in runs):.2f}"
        if count <= trainings
        else ""
        for count in _COLUMNS
    ]
    near = statistics.median_high(needed(run, is_near) for run in runs)
    last_cell = f"more than {trainings}" if near == float("inf") else f"{near:.0f}"
    return f"| {name} | {len(runs)} | {' | '.join(cells)} | {last_cell} |"


def page() -> str:
    """Returns the text of README.md."""
    _, error, tau = simulator()
    lines = [
        "# Number of trainings that each sampler needs",
        "",
        "    python -m studies.search_efficiency.run --seeds 3 --fronts 0 --optunahub DIR",
        "",
        "Searches in `mobile` for x3 without reference networks, with simulated trainings: a",
        "forest fitted to one half of the package's networks predicts the PSNR that a network",
        f"would reach. On the other half its error is {error:.2f} dB and Kendall's tau is",
        f"{tau:.2f}. Latencies are those of the devices' regressions. The prior of `surrogate` is",
        f"fitted to the other half, or to {FEW} networks (`surrogate, without the table`).",
        "`tpe_union_multivariate` is a sampler of OptunaHub, used with its defaults;",
        "`hierarchical_tpe`, also of OptunaHub, does not run with Optuna 5. All searches are in",
        "[simulated.csv](simulated.csv).",
        "",
        "The tables show searches for the best score: the best score after a number of trainings,",
        "relative to the best score that any search found for the device. The last column is the",
        "number of trainings until the binary logarithm of a search's best score is within",
        f"{_NEAR_LOG2_SCORE} of that of the best score of all searches. Every entry is the median",
        "over the searches.",
        *_about_fronts(),
        "",
        "Searches do not screen candidates by shorter trainings. In simulations with four seeds",
        "([screening.md](screening.md)), which assume that a screening needs no conversion, this",
        "gained 2 to 10 % after 10 and 20 trainings.",
    ]
    for device in DEVICES:
        lines += section(device)
    return "\n".join([*lines, *real.section(), ""])


def _about_fronts() -> list[str]:
    """Returns lines that explain the tables of hypervolumes; none if there are no such tables."""
    if all(step.objective != Objective.PARETO for step in IMPROVEMENTS.read()):
        return []
    return [
        "The tables of hypervolumes show searches for the Pareto front: the hypervolume that the",
        f"front dominates, in dB above bicubic enlargement times halvings of {SLOWEST_MS:.0f} ms,",
        "relative to the largest of any search. Their last column is the number of trainings to",
        f"within {100 * _NEAR_HYPERVOLUME:.0f} % of it.",
    ]


def searches(seeds: int, fronts: int, hub: Path | None) -> Iterable[list[Improvement]]:
    """Runs and yields the missing searches, seed by seed, so that partial results are useful."""
    known = {step.search for step in IMPROVEMENTS.read()}
    wanted = {Objective.SCORE: seeds, Objective.PARETO: fronts}
    for seed in range(max(wanted.values())):
        for objective, count in wanted.items():
            for device in DEVICES if seed < count else ():
                for contender in CONTENDERS:
                    is_known = (objective, device, contender.name, seed) in known
                    if not is_known and (hub is not None or not contender.module):
                        yield search(contender, objective, device, seed, hub)


def main() -> None:
    """Runs the missing searches, and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=50, help="seeds of searches for the score")
    parser.add_argument("--fronts", type=int, default=10, help="seeds of searches for the front")
    parser.add_argument("--optunahub", type=Path)
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    for trace in searches(options.seeds, options.fronts, options.optunahub):
        for step in trace:
            IMPROVEMENTS.keep(step)
        print(*trace[-1].search, trace[-1].log2_score, trace[-1].hypervolume, flush=True)
    write_text(README, page())


if __name__ == "__main__":
    main()
