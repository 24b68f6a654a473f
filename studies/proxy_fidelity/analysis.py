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
    def is_covered(self) -> bool:
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
    coverage = statistics.fmean(item.is_covered for item in items)
    return (
        f"| {steps:,} | {len(items)} | {statistics.median(seconds):.0f} | {tau(_short, items):.2f} "
        f"| **{tau(_expected, items):.2f}** ({low:.2f} to {high:.2f}) "
        f"| {tau(_short, items, CLOSE_DB):.2f} | {tau(_expected, items, CLOSE_DB):.2f} "
        f"| {error:.3f} | {100 * coverage:.0f} |"
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
        "Gain in INT8 PSNR over the former training of the same networks (Adam, INT8 rounding in",
        "the last steps, the same crops; [former_trainings.csv](former_trainings.csv)):", "",
        "| steps | steps of the former training | networks | mean gain, dB | smallest gain, dB |",
        "|---|---|---|---|---|",
        *rows, "",
    ]  # fmt: skip


def report(table: Table) -> str:
    """Returns the text of README.md."""
    long = [row for row in table.trainings if row.steps == LONG]
    failed = [row for row in table.trainings if row.error]
    below = [row for row in long if row.psnr_db and row.psnr_db < table.bicubic_psnr_db]
    lines = [
        "# Proxy fidelity", "",
        "This study measures how well a short training predicts the INT8 PSNR after a full one of",
        f"{LONG:,} steps, which counts as the true PSNR. It covers {len(long)} architectures for",
        "x3: random networks of `mobile`, networks of the zoo, and networks that searches found.",
        "Every step uses 16 crops of 32x32 LR pixels; networks are quantized after training.",
        "The trainings are the package's own table,",
        "[trainings.csv](../../nas/quality_model/trainings.csv), from which `nas search` computes",
        "expected PSNR. `python -m studies.proxy_fidelity.run --help` explains how to add",
        "trainings. Some architectures in [architectures.json](architectures.json) are not trained",
        "yet.", "",
        "The expected PSNR of each network comes from a model fitted to all other networks: it is",
        "the PSNR after the short training plus a linear function of the logarithms of the",
        "multiply-accumulates (MACs), of the number of convolutions, and of the ratio of the",
        "parameters in training to those after branches are merged. The first two features were",
        "chosen on 17 of these networks by comparing linear functions of up to three of: MACs,",
        "parameters, convolutions, mean width, smallest width, MACs per parameter, and gain over",
        "bicubic enlargement. The third was added after a search whose best network, which has",
        "branches, reached 0.13 dB less than expected: branches speed up the beginning of a",
        "training more than its end. Without this feature the errors after 125 and 250 steps are",
        "0.119 and 0.093 dB. The networks found-06 to found-14 were added after all features were",
        "chosen. The last three of them, which end in a transposed convolution, reach 0.05 to",
        "0.13 dB more than expected. No further feature of the graph reduces the errors of the",
        "other networks much.", "",
        "Networks that end below bicubic enlargement "
        f"({table.bicubic_psnr_db:.2f} dB; {len(below)} of {len(long)}) are",
        "left out, since ranking them would be useless. In the table:", "",
        "* Seconds are the median time of a training with conversion and evaluation, on one core",
        "  of a machine that did other work, too. Trainings of 60 and 1,000 steps, and those of",
        "  networks that searches found, took several times as long because of that work.",
        "* Kendall's tau compares the ranking by the measured or the expected PSNR with the",
        "  ranking by the true PSNR; its 95 % interval is a bootstrap interval.",
        f"* Close pairs are pairs of networks whose true PSNR differs by less than {CLOSE_DB} dB.",
        "* The error is the root mean square of the expected minus the true PSNR. Coverage is the",
        f"  share of networks whose true PSNR is within the {100 * COVERAGE:.0f} % interval of the "
        "expectation.", "",
        "| steps | networks | seconds | tau of the measured PSNR | tau of the expected PSNR "
        "(95 % interval) | close pairs: tau of the measured PSNR | close pairs: tau of the "
        f"expected PSNR | error, dB | coverage of the {100 * COVERAGE:.0f} % interval, % |",
        "|---|---|---|---|---|---|---|---|---|",
        *(row for steps in LENGTHS if (row := line(table, steps))), "",
        "The following random networks of `mobile` were trained in full after the model was",
        "chosen, and are not in the package's table ([unseen.csv](unseen.csv)). PSNR after",
        f"{LONG:,} steps, as expected after {SEARCHED} steps and as reached:", "",
        f"| network | expected, dB | {100 * COVERAGE:.0f} % interval, dB | reached, dB |",
        "|---|---|---|---|",
        *unseen_rows(table, SEARCHED), "",
        "within-14 has four tanhs. With the initial weights used at that time, quantization cost",
        "it 0.4 dB after 250 steps, and still 0.2 dB after 10,000 steps and training with INT8",
        "rounding. With today's initial weights it costs 0.06 dB after 250 steps.",
        "",
        *against_former(table.trainings),
        *longer(table.trainings),
        *(f"* Failed: {row.name} with {row.steps:,} steps: {row.error}" for row in failed),
    ]  # fmt: skip
    return "\n".join(lines).rstrip() + "\n"


def main() -> None:
    """Writes the page."""
    table = Table(tuple(TRAININGS.read()), read_conditions().bicubic_psnr_db)
    (Path(__file__).parent / "README.md").write_text(report(table))


if __name__ == "__main__":
    main()
