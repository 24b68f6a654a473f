"""Runs five-minute searches as a new user would: embedded images, default options.

    python -m studies.first_minutes.run [--seeds N]

Searches run one after another, each in its own process. A finished search is a row of
``results.csv`` beside this file; ``README.md`` is written again after each.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from nas.quality.score import score_ratio
from nas.studies.study import load_study
from nas.system.cores import usual_workers

from ..ledger import Ledger

HERE = Path(__file__).parent
BUDGET = "5m"
#: Options that a new user gives in addition to the budget.
COMMANDS = (
    (),
    ("--space", "mobile", "--device", "ethos-u85-1024"),
)


@dataclass(frozen=True)
class Row:
    """Result of one search."""

    command: str
    seed: int
    workers: int
    #: Number of trained networks, without the references.
    trained: int
    #: Best score divided by ABPN's, both as expected after a full training.
    score_ratio: float
    #: The same ratio after the first 5, 10 and 20 trained candidates; None if there are fewer.
    ratio_after_5: float | None = None
    ratio_after_10: float | None = None
    ratio_after_20: float | None = None
    #: The best ratio that the search predicts before the first training.
    promised_ratio: float | None = None


LEDGER = Ledger(HERE / "results.csv", Row)


def search(options: tuple[str, ...], seed: int) -> Row:
    """Runs a search in a temporary folder."""
    command = ("search", "--budget", BUDGET, *options)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        arguments = (sys.executable, "-m", "nas", *command, "--seed", str(seed), "--study", "s")
        subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)
        study = load_study("s")
        trained = [row for row in study.records() if row.result is not None]
        front = study.expected_front()
    (abpn,) = (row.result.log2_score for row in trained if row.baseline == "ABPN" and row.result)
    ratios = [
        score_ratio(row.result.log2_score, abpn)
        for row in trained
        if row.result and not row.baseline
    ]
    after = {count: max(ratios[:count]) for count in (5, 10, 20) if len(ratios) >= count}
    points = () if front is None else front.points
    promised = [point.score_ratio for point in points if point.score_ratio is not None]
    return Row(
        command=" ".join(("nas", *command)),
        seed=seed,
        workers=usual_workers(),
        trained=len(ratios),
        score_ratio=max(ratios),
        ratio_after_5=after.get(5),
        ratio_after_10=after.get(10),
        ratio_after_20=after.get(20),
        promised_ratio=max(promised, default=None),
    )


def report(rows: list[Row]) -> str:
    """Returns the text of README.md."""
    lines = [
        "# The first five minutes",
        "",
        "    python -m studies.first_minutes.run",
        "",
        "Searches as a new user runs them: on the images that come with the packages (9 for",
        "training, 3 for validation), with default options, on two cores without bfloat16. The",
        "searches start from networks that come with the package; searches for vs680 and",
        "ethos-u85-1024 found these on other photographs.",
        "",
        "Scores are shown as ratios to the score of ABPN in the same search, both as expected",
        "after a full training. The ratio *expected before training* is the best one that the",
        "search predicts before it has trained any network.",
        "",
        "| command | seed | workers | networks trained | best ratio expected before training "
        "| best ratio after 5 networks | after 10 | after 20 | after all |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in sorted(rows, key=lambda row: (row.command, row.seed)):
        ratios = (row.promised_ratio, row.ratio_after_5, row.ratio_after_10, row.ratio_after_20)
        cells = " | ".join("" if ratio is None else f"{ratio:.2f}" for ratio in ratios)
        lines.append(
            f"| `{row.command}` | {row.seed} | {row.workers} | {row.trained} | {cells} "
            f"| {row.score_ratio:.2f} |"
        )
    lines.append("")
    for command in sorted({row.command for row in rows}):
        searches = [row for row in rows if row.command == command]
        if len(searches) < 2:
            continue
        trained = statistics.median(row.trained for row in searches)
        ratio = statistics.median(row.score_ratio for row in searches)
        lines += [
            f"`{command}`: {trained:g} trained networks and {ratio:.2f} times ABPN's score "
            f"(medians of {len(searches)} searches).",
            "",
        ]
    return "\n".join(lines)


def main() -> None:
    """Runs the searches that are missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="searches of each command [3]")
    options = parser.parse_args()
    for seed in range(options.seeds):
        for words in reversed(COMMANDS):
            command = " ".join(("nas", "search", "--budget", BUDGET, *words))
            if all((row.command, row.seed) != (command, seed) for row in LEDGER.read()):
                LEDGER.keep(search(words, seed))
                (HERE / "README.md").write_text(report(LEDGER.read()), encoding="utf-8")
    print(report(LEDGER.read()))


if __name__ == "__main__":
    main()
