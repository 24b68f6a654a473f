"""The study's README, from the trainings that there are so far.

    python -m studies.training_speed.page

Writes ``README.md`` beside this file.
"""

from __future__ import annotations

import statistics
from pathlib import Path

from .branches import LEDGER as BRANCHES
from .branches import Row
from .variants import TRAININGS, VARIANTS, Training

HERE = Path(__file__).parent
#: What the others are told by.
YARDSTICK = "adam"


def gains(rows: list[Training], variant: str, steps: int) -> dict[str, float]:
    """By network, dB more than the yardstick's after as many steps; where both came to an end."""
    found = {
        row.network: row.psnr_db
        for row in rows
        if (row.variant, row.steps) == (variant, steps) and row.psnr_db is not None
    }
    yardstick = {
        row.network: row.psnr_db
        for row in rows
        if (row.variant, row.steps) == (YARDSTICK, steps) and row.psnr_db is not None
    }
    return {name: found[name] - yardstick[name] for name in found if name in yardstick}


def line(rows: list[Training], variant: str, steps: int) -> str | None:
    """One row of the table, if there is anything to tell."""
    tried = [row for row in rows if (row.variant, row.steps) == (variant, steps)]
    failed = [row for row in tried if row.error]
    gained = gains(rows, variant, steps)
    if not gained or variant == YARDSTICK:
        return None
    worst = min(gained, key=lambda name: gained[name])
    return (
        f"| {steps:,} | {variant} | {len(gained)} | {statistics.fmean(gained.values()):+.3f} "
        f"| {statistics.median(gained.values()):+.3f} | {gained[worst]:+.3f} ({worst}) "
        f"| {len(failed)} |"
    )


def branches(rows: list[Row]) -> list[str]:
    """The section about convolutions with branches."""
    shares = sorted({row.share for row in rows}, reverse=True)
    found = {(row.network, row.steps, row.share): row.psnr_db for row in rows}
    trained = sorted({(row.network, row.steps) for row in rows})
    return [
        "## Convolutions with branches", "",
        "    python -m studies.training_speed.branches --help",
        "",
        "The kernels of a convolution and its branches move it together, the further the more the",
        "branches, small at first, have grown. PSNR in floating point, dB, at shares of the rate",
        "of other kernels, and without branches; `nas` takes the whole rate up to 500 steps, half",
        "of it from 4,000 on, and between them what falls as the rate itself.", "",
        "| network | steps | " + " | ".join(str(s) if s else "no branches" for s in shares) + " |",
        "|---|---|" + "---|" * len(shares),
        *(
            f"| {network} | {steps:,} | "
            + " | ".join(number(found.get((network, steps, share))) for share in shares) + " |"
            for network, steps in trained
        ), "",
        "Of eight residual blocks, at the whole rate, four were dead after 700 steps, and what was",
        "left blew up after 1,400: the training came to its end with a loss of 12 levels instead",
        "of 8.5, and an INT8 file that XNNPACK refuses. At half the rate, or without branches, all",
        "of them live.",
    ]  # fmt: skip


def number(psnr_db: float | None) -> str:
    """A cell of the table."""
    return "" if psnr_db is None else f"{psnr_db:.3f}"


def main() -> None:
    """Writes the page."""
    rows = TRAININGS.read()
    lengths = sorted({row.steps for row in rows})
    table = [line(rows, v.name, steps) for steps in lengths for v in VARIANTS]
    failures = [f"{r.network}, {r.variant}, {r.steps:,}: {r.error}" for r in rows if r.error]
    text = [
        "# Training speed", "",
        "What a gradient step is worth: networks of the zoo and draws of `mobile`, x3, each",
        "trained anew for each number of steps, 16 crops of 32x32 LR pixels a step in bfloat16;",
        "PSNR on RGB in floating point on the validation images. Told against Adam at 2e-3, the",
        "former optimizer, on the same networks. `orthogonalized` is what `nas` trains with: at a",
        "kernel rate of 0.011 up to 500 steps, less for longer trainings, and the part of a step",
        "that is common to all weights of an output 8 times smaller. `undamped` is without that,",
        "as published, at the same rate for any length; every other variant says what it changes.",
        "Networks whose gradients had died count as failed. All rows are in",
        "[trainings.csv](trainings.csv); not all networks, variants and lengths are trained yet:",
        "`python -m studies.training_speed.run --help` tells how to go on.",
        "",
        "At twice the rate without damping narrow layers die; with it the rate can be higher. At",
        "the rate of brief trainings they die in long ones: `other-00` lost a branch within 10,000",
        "steps at 0.011 throughout, and has 27.45 dB at the falling rate, while ABPN does not mind",
        "(10,000 steps, undamped: the same PSNR at 0.004 and at 0.008). Rows of 250 steps other",
        "than those of `orthogonalized` and `adam` were made while ReLUs passed on 1 % of the",
        "gradient where they give 0, which revived nothing, blew up long trainings, and is gone.",
        "",
        "| steps | variant | networks | mean gain, dB | median | worst | failed |",
        "|---|---|---|---|---|---|---|",
        *(row for row in table if row), "",
        *(f"* {failure}" for failure in failures), "",
        *branches(BRANCHES.read()),
    ]  # fmt: skip
    (HERE / "README.md").write_text("\n".join(text).rstrip() + "\n")


if __name__ == "__main__":
    main()
