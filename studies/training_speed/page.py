"""Makes the study's README from the trainings so far.

    python -m studies.training_speed.page

Writes ``README.md`` beside this file.
"""

from __future__ import annotations

import statistics
from pathlib import Path

from nas.training.recipe import Recipe

from .rates import LEDGER as RATES
from .rates import Row
from .variants import TRAININGS, VARIANTS, Training

HERE = Path(__file__).parent
#: The variant that the others are compared with.
YARDSTICK = "adam"


def gains(rows: list[Training], variant: str, steps: int) -> dict[str, float]:
    """Returns each network's gain in dB over the yardstick; failed trainings are left out."""
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
    """Returns a row of the table; None for the yardstick, and if no network can be compared."""
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


def rates(rows: list[Row]) -> list[str]:
    """Returns the section on the learning rate of kernels."""
    trained: dict[tuple[str, int, int, str], list[str]] = {}
    for row in sorted(rows, key=lambda row: (row.network, row.steps, row.waking, row.rate)):
        found = row.error if row.psnr_db is None else f"{row.psnr_db:.3f}"
        key = (row.network, row.kernels, row.steps, row.waking or "nothing")
        trained.setdefault(key, []).append(f"{row.rate}: {found}")
    return [
        "## The rate of kernels", "",
        "    python -m studies.training_speed.rates --help",
        "",
        "Every kernel of a network moves its image, and in training each branch of a convolution",
        "has kernels of its own: so the more there are, the smaller the step of each should be.",
        "Brief trainings do not mind: after 250 steps five draws of `mobile` with branches have",
        "0.08 dB less at half of 0.011. `nas` takes 0.011 up to 500 steps, and for longer",
        "trainings 0.011 (500 / steps)^(1/6) (9 / kernels)^0.4, but no more than 0.011 and no less",
        "than 0.011 (500 / steps)^(2/3); fewer than 7 kernels count as 7.",
        "",
        "Where a channel's ReLU gives 0 everywhere, no gradient reaches its weights, and what is",
        "left of their momentum would be followed at its whole length, farther to where it led:",
        "whole layers were lost, or trainings blew up. `nas` leaves such weights where they are,",
        "and raises the channel's bias until it gives something. Tried instead: letting ReLUs that",
        "give 0 pass on 1 % of the gradient, or of what of it raises their input. The former blows",
        "up deep networks, since lowering such an input changes nothing and goes on without an",
        "end; both need a gradient of our own, of which TensorFlow keeps every traced graph. PSNR",
        "in floating point by peak rates, dB, one seed:",
        "",
        "| network | kernels | steps | where ReLUs give 0 | `nas` takes | rate: PSNR |",
        "|---|---|---|---|---|---|",
        *(
            f"| {network} | {kernels} | {steps:,} | {waking} "
            f"| {Recipe(steps).float_schedule(kernels).kernel_rate:.4f} | {'; '.join(cells)} |"
            for (network, kernels, steps, waking), cells in trained.items()
        ), "",
        "The widened networks are of four and eight residual blocks of 32 channels; where they",
        "have branches, their convolution of the image, without any, had 0.0064 and 0.0041, or",
        "0.004 beside 0.0032 where 1 % of what raises was passed on. found-u85-14ms is the first",
        "with 16 channels. Four of eight blocks, at 0.0064, were dead after 700 steps, and what",
        "was left blew up after 1,400: that training came to its end with a loss of 12 levels",
        "instead of 8.5, and an INT8 file that XNNPACK refused.",
    ]  # fmt: skip


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
        "kernel rate of 0.011 up to 500 steps, less for longer ones (below), and the part of a",
        "step common to all weights of an output 8 times smaller. `undamped` is without that,",
        "as published, at the same rate for any length; every other variant says what it changes.",
        "Networks whose gradients had died count as failed. All rows are in",
        "[trainings.csv](trainings.csv); not all networks, variants and lengths are trained yet:",
        "`python -m studies.training_speed.run --help` tells how to go on.",
        "",
        "At twice the rate without damping narrow layers die; with it the rate can be higher. At",
        "the rate of brief trainings they die in long ones: `other-00` lost a branch within 10,000",
        "steps at 0.011 throughout, and has 27.45 dB at 0.0041. Rows of 250 steps other",
        "than those of `orthogonalized` and `adam` were made while ReLUs passed on 1 % of all of",
        "the gradient where they give 0.",
        "",
        "| steps | variant | networks | mean gain, dB | median | worst | failed |",
        "|---|---|---|---|---|---|---|",
        *(row for row in table if row), "",
        *(f"* {failure}" for failure in failures), "",
        *rates(RATES.read()),
    ]  # fmt: skip
    (HERE / "README.md").write_text("\n".join(text).rstrip() + "\n")


if __name__ == "__main__":
    main()
