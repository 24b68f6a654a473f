"""Measures how well short trainings rank long ones: by PSNR so far, and by expected PSNR.

    python -m studies.proxy_fidelity.analysis

Writes ``README.md`` beside this file from the package's table of trainings. Lengths with too few
networks are left out. Every expected PSNR comes from a model that was fitted without the network.
"""

from __future__ import annotations

import itertools
import math
import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nas.choices import RecipeName
from nas.quality_model.expectation import ExpectedPsnr
from nas.quality_model.full_training_model import COVERAGE, QualityModel
from nas.quality_model.training_table import Table, Training, read_conditions
from nas.system.files import read_rows
from nas.training.recipe import recipe_named

from .rows import LENGTHS, LONG, LONGER, TRAININGS, UNSEEN

#: Pairs of networks are close if their long trainings differ by less than this, dB.
CLOSE_DB = 0.2
#: Steps of the trainings in a search.
SEARCHED = recipe_named(RecipeName.PROXY).steps
#: Number of networks below which a length is left out.
FEWEST = 6
_DRAWS = 2000


@dataclass(frozen=True)
class JudgedExpectation:
    """A network's PSNR in dB: after a short training, expected, and true after a long training."""

    short_db: float
    expected: ExpectedPsnr
    true_db: float

    @property
    def error_db(self) -> float:
        """Error of the expectation."""
        return self.expected.psnr_db - self.true_db

    @property
    def is_held(self) -> bool:
        """Whether the true PSNR is within the expected interval."""
        return self.expected.low_db <= self.true_db <= self.expected.high_db


def judged(table: Table, steps: int) -> list[JudgedExpectation]:
    """Returns networks that end above bicubic, each expected by a model fitted to all others."""
    rows = []
    for pair in table.pairs(steps):
        if pair.psnr_db < table.bicubic_psnr_db:
            continue
        model = QualityModel.fitted(table.without(pair.name))
        rows.append(JudgedExpectation(pair.short.psnr_db, model.expected(pair.short), pair.psnr_db))
    return rows


def unseen_rows(table: Table, steps: int) -> list[str]:
    """Returns table rows of expected and reached PSNR of networks that the table lacks."""
    model, full = QualityModel.fitted(table), UNSEEN.read()
    names = {row.name for row in full}
    rows = []
    for pair in Table((*table.trainings, *full), table.bicubic_psnr_db).pairs(steps):
        if pair.name in names:
            expected = model.expected(pair.short)
            rows.append(
                f"| {pair.name} | {expected.psnr_db:.2f} | {expected.low_db:.2f} to "
                f"{expected.high_db:.2f} | {pair.psnr_db:.2f} |"
            )
    return rows


def tau(
    estimate: Callable[[JudgedExpectation], float],
    items: Sequence[JudgedExpectation],
    closer_than_db: float = math.inf,
) -> float:
    """Returns Kendall's tau-a over all pairs whose true PSNR differs by less than a limit."""
    agreements = [
        _sign(estimate(a) - estimate(b)) * _sign(a.true_db - b.true_db)
        for a, b in itertools.combinations(items, 2)
        if abs(a.true_db - b.true_db) < closer_than_db
    ]
    return sum(agreements) / len(agreements) if agreements else math.nan


def interval(
    estimate: Callable[[JudgedExpectation], float], items: Sequence[JudgedExpectation]
) -> tuple[float, float]:
    """Returns the 95 % bootstrap interval of tau; pairs of a network with itself are left out."""
    rng = random.Random(0)
    taus = []
    for _ in range(_DRAWS):
        drawn = rng.choices(range(len(items)), k=len(items))
        pairs = [(items[a], items[b]) for a, b in itertools.combinations(drawn, 2) if a != b]
        agreements = [
            _sign(estimate(a) - estimate(b)) * _sign(a.true_db - b.true_db) for a, b in pairs
        ]
        taus.append(sum(agreements) / len(agreements))
    taus.sort()
    return taus[round(0.025 * _DRAWS)], taus[round(0.975 * _DRAWS) - 1]


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)


def _short(item: JudgedExpectation) -> float:
    return item.short_db


def _expected(item: JudgedExpectation) -> float:
    return item.expected.psnr_db


def line(table: Table, steps: int) -> str | None:
    """Returns a row of the page's table; None if too few networks were trained for ``steps``."""
    items = judged(table, steps)
    if len(items) < FEWEST:
        return None
    seconds = [row.seconds for row in table.trainings if row.steps == steps and row.seconds]
    low, high = interval(_expected, items)
    error = math.sqrt(statistics.fmean(item.error_db**2 for item in items))
    held = statistics.fmean(item.is_held for item in items)
    return (
        f"| {steps:,} | {len(items)} | {statistics.median(seconds):.0f} | {tau(_short, items):.2f} "
        f"| **{tau(_expected, items):.2f}** ({low:.2f} to {high:.2f}) "
        f"| {tau(_short, items, CLOSE_DB):.2f} | {tau(_expected, items, CLOSE_DB):.2f} "
        f"| {error:.3f} | {100 * held:.0f} |"
    )


def longer(trainings: Sequence[Training]) -> list[str]:
    """Returns lines with the PSNR of networks that have LONG and LONGER trainings."""
    psnr_db = {(row.name, row.steps): row.psnr_db for row in trainings}
    both = [
        (name, long_db, more_db)
        for (name, steps), more_db in psnr_db.items()
        if steps == LONGER and more_db and (long_db := psnr_db.get((name, LONG)))
    ]
    return [
        f"* {name}: {long_db:.3f} dB after {LONG:,} steps, {more_db:.3f} after {LONGER:,}"
        for name, long_db, more_db in both
    ]


@dataclass(frozen=True)
class FormerTraining:
    """A training by the former recipe: Adam, and INT8 rounding in the last steps. PSNR in dB.

    Images and crops were the same.
    """

    name: str
    steps: int
    psnr_db: float


def against_former(trainings: Sequence[Training]) -> list[str]:
    """Returns a table of gains over former trainings with as many steps or more."""
    former = {
        (row.name, row.steps): row.psnr_db
        for row in read_rows(Path(__file__).parent / "former_trainings.csv", FormerTraining)
    }
    rows = []
    for steps, factor in ((125, 2), (125, 4), (250, 2), (250, 4), (500, 2), (LONG, 1)):
        gains_db = [
            row.psnr_db - former[row.name, factor * steps]
            for row in trainings
            if row.steps == steps and row.psnr_db and (row.name, factor * steps) in former
        ]
        if gains_db:
            mean, worst = statistics.fmean(gains_db), min(gains_db)
            rows.append(
                f"| {steps:,} | {factor * steps:,} | {len(gains_db)} | {mean:+.3f} | {worst:+.3f} |"
            )
    return [
        "Against the training of before (Adam, INT8 rounding in its last steps, the same crops;",
        "[former_trainings.csv](former_trainings.csv)): INT8 PSNR of the same networks, dB.", "",
        "| steps | steps of before | networks | mean gain | the least |", "|---|---|---|---|---|",
        *rows, "",
    ]  # fmt: skip


def report(table: Table) -> str:
    """Returns the text of README.md."""
    long = [row for row in table.trainings if row.steps == LONG]
    failed = [row for row in table.trainings if row.error]
    below = [row for row in long if row.psnr_db and row.psnr_db < table.bicubic_psnr_db]
    lines = [
        "# Proxy fidelity", "",
        f"{len(long)} architectures, draws of `mobile`, networks of the zoo, and what searches",
        "found, x3; 16 crops of 32x32 LR pixels a step, quantized after training, PSNR of the INT8",
        "file.",
        f"Truth is that after {LONG:,} steps. The rows are the package's own table,",
        "[trainings.csv](../../nas/quality_model/trainings.csv), which `nas search` expects by;",
        "`python -m studies.proxy_fidelity.run --help` tells how to add to it. Not all of the",
        "architectures in [architectures.json](architectures.json) are trained yet.", "",
        "Each expectation is told by a model that was fitted to all other networks: PSNR so far,",
        "and a line over the logarithms of MACs, of the number of convolutions, and of parameters",
        "while training to those that are left once branches are merged. The first two were chosen",
        "on 17 of these networks among lines over up to three of MACs, parameters, convolutions,",
        "mean and least width, MACs a parameter and the gain over bicubic. The third came after a",
        "search whose best network, with branches, reached 0.13 dB less than expected; without it",
        "the errors after 125 and 250 steps are 0.119 and 0.093 dB. Branches speed up a training's",
        "beginning more than its end. found-06 to -14 came after all was chosen: of the last",
        "three, whose pixels a transposed convolution makes, 0.05 to 0.13 dB less is expected than",
        "they reach. No further feature of the graph makes the others' errors much less. Networks",
        f"that end below bicubic ({table.bicubic_psnr_db:.2f} dB; {len(below)} of {len(long)})",
        "are left out: there is nothing to rank. Taus are Kendall's with the truth, the interval",
        f"of 95 % by bootstrap; close pairs differ by less than {CLOSE_DB} dB; the error is the",
        "root mean square, dB; held is how often the interval of",
        f"{100 * COVERAGE:.0f} % holds the truth, %.",
        "Seconds are those of a training, with conversion and judging, on one core of a machine",
        "that had other work to do: for 60 and 1,000 steps, and for what searches found, several",
        "times as much.", "",
        "| steps | networks | s | tau, as measured | tau, as expected | close, as measured "
        "| close, as expected | error | held |",
        "|---|---|---|---|---|---|---|---|---|",
        *(row for steps in LENGTHS if (row := line(table, steps))), "",
        "Draws of `mobile` that were trained in full after the model was chosen, and that the",
        f"package's table lacks ([unseen.csv](unseen.csv)), dB: expected after {SEARCHED} steps,",
        "the interval, and reached.", "",
        "| network | expected | interval | reached |",
        "|---|---|---|---|",
        *unseen_rows(table, SEARCHED), "",
        "within-14 has four tanhs. By the first weights of then it lost 0.4 dB by quantizing after",
        "250 steps, after 10,000 and INT8 steps still 0.2; by those of now 0.06 dB after 250.",
        "",
        *against_former(table.trainings),
        *longer(table.trainings),
        *(f"* Failed: {row.name} at {row.steps:,}: {row.error}" for row in failed),
    ]  # fmt: skip
    return "\n".join(lines).rstrip() + "\n"


def main() -> None:
    """Writes the page."""
    table = Table(tuple(TRAININGS.read()), read_conditions().bicubic_psnr_db)
    (Path(__file__).parent / "README.md").write_text(report(table))


if __name__ == "__main__":
    main()
