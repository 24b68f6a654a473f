"""Measures what a search gains by screening candidates with shorter trainings.

    python -m studies.search_efficiency.screening [--seeds N]

Only the best of the screened candidates go on to the usual length. Runs simulated searches of the
sampler ``surrogate`` with budgets of time. The simulator gives a network's true PSNR; the search
sees it with an error, drawn from the errors of the expectations in ``studies/proxy_fidelity`` on
networks that were left out. Writes ``screening.md``.
"""

from __future__ import annotations

import argparse
import random
import statistics
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

import optuna

from nas.choices import RecipeName, SamplerKind
from nas.quality.score import score_ratio
from nas.quality_model.full_training_model import QualityModel
from nas.quality_model.training_table import Table, read_table
from nas.studies.record import Result
from nas.system.files import write_text
from nas.training.recipe import recipe_named
from search_spaces import Candidate

from .searches import DEVICES
from .simulation import SETTINGS, Simulation
from .simulator import gain_of, prior_of

#: Steps of a search's training, and of a screening.
USUAL = recipe_named(RecipeName.PROXY).steps
SCREEN = USUAL // 2
#: Share of the screened candidates that continue.
SHARE = 1 / 3
#: Budgets: each is the time of this number of trainings of usual length.
BUDGETS = (3, 5, 10, 20)


class Way(Enum):
    """How a candidate is trained."""

    USUAL = f"{USUAL} steps"
    SHORT = f"{SCREEN} steps"
    SCREENED = f"{SCREEN} steps, the best third continues to {USUAL}"


@dataclass(frozen=True)
class Costs:
    """Seconds of a step, and fixed seconds of every training for conversion and evaluation."""

    step: float
    fixed: float

    @classmethod
    def of(cls, table: Table) -> Costs:
        """Estimates both from the median times of short trainings of two lengths."""
        few, many = (
            statistics.median(
                row.seconds for row in table.trainings if row.steps == steps and row.seconds
            )
            for steps in (SCREEN, 4 * SCREEN)
        )
        step = (many - few) / (3 * SCREEN)
        return cls(step, few - SCREEN * step)

    @property
    def usual(self) -> float:
        """Seconds of a training of the usual length."""
        return self.fixed + USUAL * self.step

    def of_way(self, way: Way, *, goes_on: bool) -> float:
        """Returns the seconds of one candidate.

        A screening is evaluated in floating point, without conversion, at no further cost.
        """
        match way:
            case Way.USUAL:
                return self.usual
            case Way.SHORT:
                return self.fixed + SCREEN * self.step
            case Way.SCREENED:
                return self.usual if goes_on else SCREEN * self.step


def errors_db(table: Table) -> tuple[tuple[float, float], ...]:
    """Returns each network's errors of the PSNR expected after a screening and a usual training."""
    found: dict[str, list[float]] = {}
    for steps in (SCREEN, USUAL):
        for pair in table.pairs(steps):
            if pair.psnr_db > table.bicubic_psnr_db:
                expected = QualityModel.fitted(table.without(pair.name)).expected(pair.short)
                found.setdefault(pair.name, []).append(expected.psnr_db - pair.psnr_db)
    return tuple((pair[0], pair[1]) for pair in found.values() if len(pair) == 2)


@dataclass(frozen=True)
class Choice:
    """A candidate's score as the search sees it, its true score, and the seconds spent so far."""

    seconds: float
    seen_log2_score: float
    true_log2_score: float


@dataclass(frozen=True)
class ScreenedSimulation(Simulation):
    """A simulated search that sees expected PSNR with errors."""

    way: Way = Way.USUAL
    costs: Costs = Costs(0.0, 1.0)
    errors_db: tuple[tuple[float, float], ...] = ((0.0, 0.0),)
    rng: random.Random = field(default_factory=random.Random)
    screened: list[float] = field(default_factory=list)
    choices: list[Choice] = field(default_factory=list)

    def result_of(self, candidate: Candidate) -> Result:
        """Returns the result that the search sees, and records the choice."""
        after_screen, after_all = (
            self._with_error(candidate, error_db) for error_db in self.rng.choice(self.errors_db)
        )
        goes_on = self.way is Way.USUAL or (
            self.way is Way.SCREENED and self._is_among_best(after_screen.log2_score)
        )
        seen = after_all if goes_on else after_screen
        before = self.choices[-1].seconds if self.choices else 0.0
        true = self._with_error(candidate, 0.0)
        self.choices.append(
            Choice(
                before + self.costs.of_way(self.way, goes_on=goes_on),
                seen.log2_score,
                true.log2_score,
            )
        )
        return seen

    def _with_error(self, candidate: Candidate, error_db: float) -> Result:
        true_gain_of = self.gain_of
        return Simulation(
            self.settings, lambda f: true_gain_of(f) + error_db, self.study, self.space, self.source
        ).result_of(candidate)

    def _is_among_best(self, log2_score: float) -> bool:
        self.screened.append(log2_score)
        better = sum(score > log2_score for score in self.screened)
        return better < max(1, SHARE * len(self.screened))

    def chosen(self, seconds: float) -> float:
        """Returns the log2 of the true score of the candidate that looks best after ``seconds``."""
        seen = [c for c in self.choices if c.seconds <= seconds + 1e-6] or self.choices[:1]
        return max(seen, key=lambda choice: choice.seen_log2_score).true_log2_score


def search(
    way: Way, device: str, seed: int, costs: Costs, errors: tuple[tuple[float, float], ...]
) -> ScreenedSimulation:
    """Runs one search for the longest budget."""
    settings = replace(
        SETTINGS, space="mobile", device=device, sampler=SamplerKind.SURROGATE, seed=seed
    )
    simulation = replace(
        ScreenedSimulation.of(settings, gain_of, prior_of(None)),
        way=way,
        costs=costs,
        errors_db=errors,
        rng=random.Random(seed),
    )
    while not simulation.choices or (
        simulation.choices[-1].seconds < BUDGETS[-1] * simulation.costs.usual
    ):
        simulation.run(1)
    return simulation


def page(seeds: int) -> str:
    """Returns the text of screening.md."""
    table = read_table()
    costs, errors = Costs.of(table), errors_db(table)
    columns = " | ".join(f"score after {budget}" for budget in BUDGETS)
    lines = [
        "# Screening by shorter trainings",
        "",
        f"    python -m studies.search_efficiency.screening --seeds {seeds}",
        "",
        "This study simulates searches that screen candidates by shorter trainings. For each",
        f"device and kind of training, {seeds} searches with the sampler `surrogate` in `mobile`",
        f"are simulated. A training step takes {costs.step:.3f} s, and conversion and evaluation",
        f"take {costs.fixed:.0f} s; a screening is evaluated in floating point at no further cost.",
        "A search sees a network's PSNR with an error that is drawn from those of",
        f"[proxy_fidelity](../proxy_fidelity/README.md) for {len(errors)} networks; the errors",
        "after both lengths are those of the same network. The table shows the mean true score of",
        "the network that a search would choose after the time of a number of usual trainings,",
        "relative to the best true score of all searches.",
        "",
        f"| device | training of a candidate | {columns} |",
        f"|---|---|{'---|' * len(BUDGETS)}",
    ]
    for device in DEVICES:
        runs = {
            way: [search(way, device, seed, costs, errors) for seed in range(seeds)] for way in Way
        }
        best = max(c.true_log2_score for found in runs.values() for r in found for c in r.choices)
        for way, found in runs.items():
            cells = [
                f"{statistics.fmean(_share(run, b * costs.usual, best) for run in found):.3f}"
                for b in BUDGETS
            ]
            lines.append(f"| {device} | {way.value} | {' | '.join(cells)} |")
            print(lines[-1], flush=True)
    return "\n".join([*lines, ""])


def _share(run: ScreenedSimulation, seconds: float, best: float) -> float:
    return score_ratio(run.chosen(seconds), best)


def main() -> None:
    """Runs all searches, and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    write_text(Path(__file__).parent / "screening.md", page(options.seeds))


if __name__ == "__main__":
    main()
