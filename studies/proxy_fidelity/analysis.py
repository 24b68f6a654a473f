"""Kendall's tau of short trainings, of parameters and of MACs with the long training's PSNR.

    python studies/proxy_fidelity/analysis.py

Writes ``README.md`` beside this file from ``trainings.csv``, once there are enough long trainings.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rows import LENGTHS, LONG, TRAININGS, Training

GOAL = 0.8
#: Pairs whose long trainings end closer than this, dB.
CLOSE_DB = 0.5
#: Architectures below which nothing is told.
FEWEST = 16
_DRAWS = 2000
_WORST = float("-inf")


@dataclass(frozen=True)
class Architecture:
    """One architecture's figures: INT8 and FP32 PSNR by the length of its training, in dB."""

    parameters: int
    macs: int
    int8_db: dict[int, float]
    float_db: dict[int, float]


def collect(rows: Sequence[Training]) -> list[Architecture]:
    """Architectures whose long training gave a figure, and whose short ones are all done.

    A shorter one that failed ranks last, as in a search.
    """
    by_name: dict[str, dict[int, Training]] = {}
    for row in rows:
        by_name.setdefault(row.name, {})[row.steps] = row
    return [
        Architecture(
            own[LONG].parameters,
            own[LONG].macs,
            {steps: _or_worst(own[steps].psnr_db) for steps in (*LENGTHS, LONG)},
            {steps: _or_worst(own[steps].psnr_float_db) for steps in (*LENGTHS, LONG)},
        )
        for own in by_name.values()
        if own.keys() >= {*LENGTHS, LONG} and own[LONG].psnr_db is not None
    ]


def _or_worst(psnr_db: float | None) -> float:
    return _WORST if psnr_db is None else psnr_db


def tau(
    of: Callable[[Architecture], float],
    true: Callable[[Architecture], float],
    items: Sequence[Architecture],
    closer_than_db: float = float("inf"),
) -> float:
    """Kendall's tau-a over all pairs, or over those that truly differ by less than a distance."""
    agreements = [
        _sign(of(a) - of(b)) * _sign(true(a) - true(b))
        for a, b in itertools.combinations(items, 2)
        if abs(true(a) - true(b)) < closer_than_db
    ]
    return sum(agreements) / len(agreements) if agreements else float("nan")


def interval(
    of: Callable[[Architecture], float],
    true: Callable[[Architecture], float],
    items: Sequence[Architecture],
) -> tuple[float, float]:
    """95 % of the taus of architectures drawn with replacement; pairs of one are left out."""
    rng = random.Random(0)
    taus = []
    for _ in range(_DRAWS):
        drawn = rng.choices(range(len(items)), k=len(items))
        pairs = [(items[a], items[b]) for a, b in itertools.combinations(drawn, 2) if a != b]
        agreements = [_sign(of(a) - of(b)) * _sign(true(a) - true(b)) for a, b in pairs]
        taus.append(sum(agreements) / len(agreements))
    taus.sort()
    return taus[round(0.025 * _DRAWS)], taus[round(0.975 * _DRAWS) - 1]


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)


def _int8_after(steps: int) -> Callable[[Architecture], float]:
    return lambda architecture: architecture.int8_db[steps]


def _float_after(steps: int) -> Callable[[Architecture], float]:
    return lambda architecture: architecture.float_db[steps]


def report(rows: Sequence[Training], items: Sequence[Architecture]) -> str:
    """The study's README."""
    failed = [row for row in rows if row.error]
    true = _int8_after(LONG)
    chosen_on, told_on = items[::2], items[1::2]
    passing = [s for s in LENGTHS if tau(_int8_after(s), true, chosen_on) >= GOAL]
    chosen = passing[0] if passing else LENGTHS[-1]
    measures: list[tuple[str, Callable[[Architecture], float]]] = [
        *((f"INT8 PSNR after {s:,} steps", _int8_after(s)) for s in LENGTHS),
        *((f"FP32 PSNR after {s:,} steps", _float_after(s)) for s in LENGTHS),
        ("parameters", lambda i: i.parameters),
        ("MACs", lambda i: i.macs),
    ]
    lines = [
        "# Proxy fidelity", "",
        f"{len(items)} architectures: draws of `mobile`, half of them of 1 to 4 GMAC at 360x640,",
        "and the zoo, x3; 16 crops of 32x32 LR pixels a step, quantized after training. Truth is",
        f"the INT8 PSNR after {LONG:,} steps. `python studies/proxy_fidelity/run.py --help` tells",
        "how to run it; every training is a row of [trainings.csv](trainings.csv).", "",
        "Kendall's tau with the truth. The length is chosen on every other architecture (chosen",
        "on), and told on the others, with a bootstrap interval of 95 %; close pairs are those of",
        f"all architectures whose truths differ by less than {CLOSE_DB} dB. A short training that",
        "failed ranks last.", "",
        "| ranked by | chosen on | told on | interval | close pairs, all |",
        "|---|---|---|---|---|",
    ]  # fmt: skip
    for name, of in measures:
        low, high = interval(of, true, told_on)
        lines.append(
            f"| {name} | {tau(of, true, chosen_on):.2f} | {tau(of, true, told_on):.2f} "
            f"| {low:.2f} to {high:.2f} | {tau(of, true, items, CLOSE_DB):.2f} |"
        )
    verdict = f"the cheapest with tau of at least {GOAL} there" if passing else "none passes there"
    lines += ["", f"Chosen: {chosen:,} steps ({verdict}).", ""]
    lines += [f"* Failed: {row.name} at {row.steps:,}: {row.error}" for row in failed]
    return "\n".join(lines).rstrip() + "\n"


def main() -> None:
    """Writes the page."""
    rows = TRAININGS.read()
    items = collect(rows)
    if len(items) < FEWEST:
        raise SystemExit(f"{len(items)} architectures are trained at every length; {FEWEST} needed")
    (Path(__file__).parent / "README.md").write_text(report(rows, items))


if __name__ == "__main__":
    main()
