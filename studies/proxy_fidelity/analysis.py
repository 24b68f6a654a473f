"""Kendall's tau of short trainings, of parameters and of MACs with the long training's PSNR."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

GOAL = 0.8
#: Pairs whose long trainings end closer than this, dB.
CLOSE_DB = 0.5
_DRAWS = 2000
_WORST = float("-inf")


@dataclass(frozen=True)
class Architecture:
    """One architecture's figures: INT8 and FP32 PSNR by the length of its training, in dB."""

    parameters: int
    macs: int
    int8_db: dict[int, float]
    float_db: dict[int, float]


def collect(rows: Sequence[dict[str, Any]], order: Sequence[str], long: int) -> list[Architecture]:
    """Architectures whose training of ``long`` steps gave a figure, in ``order``.

    A shorter one that failed ranks last, as in a search.
    """
    found = []
    lengths = {row["steps"] for row in rows}
    for name in order:
        own = {row["steps"]: row for row in rows if row["candidate"] == name}
        if own.keys() == lengths and "error" not in own[long]:
            found.append(
                Architecture(
                    own[long]["parameters"],
                    own[long]["macs"],
                    {steps: row.get("psnr_db", _WORST) for steps, row in own.items()},
                    {steps: row.get("psnr_float_db", _WORST) for steps, row in own.items()},
                )
            )
    return found


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


def report(
    rows: Sequence[dict[str, Any]],
    order: Sequence[str],
    short: Sequence[int],
    long: int,
    remark: str,
) -> str:
    """The study's README; ``remark`` is what sets its trainings apart from those of today."""
    items = collect(rows, order, long)
    failed = [row for row in rows if "error" in row]

    true = _int8_after(long)
    chosen_on, told_on = items[::2], items[1::2]
    passing = [s for s in short if tau(_int8_after(s), true, chosen_on) >= GOAL]
    chosen = passing[0] if passing else short[-1]
    measures: list[tuple[str, Callable[[Architecture], float]]] = [
        *((f"INT8 PSNR after {s:,} steps", _int8_after(s)) for s in short),
        *((f"FP32 PSNR after {s:,} steps", _float_after(s)) for s in short),
        ("parameters", lambda i: i.parameters),
        ("MACs", lambda i: i.macs),
    ]
    lines = [
        "# Proxy fidelity", "",
        f"{len(items)} of {len(order)} architectures, drawn from `mobile` as it was (results.json",
        "keeps them), 1 to 4 GMAC at 360x640, x3; 16 crops of 32x32 LR pixels a step. Truth is the",
        f"INT8 PSNR after {long:,} steps. All lengths of one architecture were trained on one",
        "machine, in bfloat16 where it had that.", *([remark] if remark else []),
        "`python studies/proxy_fidelity/run.py --help` tells how to run it. Every figure is in",
        "[results.json](results.json).", "",
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
    verdict = "the cheapest with tau of at least 0.8 there" if passing else "none reaches 0.8 there"
    after = _int8_after(chosen)
    by_macs = tau(lambda i: i.macs, true, items)
    fell = sum(true(item) < after(item) - CLOSE_DB / 2 for item in items)
    lines += [
        "", f"Chosen: {chosen:,} steps ({verdict}). Over all architectures tau is then",
        f"{tau(after, true, items):.2f}, and that of MACs {by_macs:.2f}. {fell} of them have more",
        f"than {CLOSE_DB / 2} dB less after {long:,} steps than after {chosen:,}; no short",
        "training tells that.", "",
    ]  # fmt: skip
    lines += [f"Failed: {row['candidate']} at {row['steps']:,}: {row['error']}" for row in failed]
    return "\n".join(lines).rstrip() + "\n"
