"""Makes the study's README from the trainings so far.

    python -m studies.training_speed.page

Writes ``README.md`` beside this file.
"""

from __future__ import annotations

import statistics
from pathlib import Path

from nas.training.recipe import Recipe

from .rates import LEDGER as RATES
from .rates import WAKING, Row
from .variants import TRAININGS, VARIANTS, Training

HERE = Path(__file__).parent
#: The variant that the others are compared with.
YARDSTICK = "adam"
#: How the page names the values of ``Row.waking``.
_TREATMENTS = {
    "": "none",
    WAKING: "bias raised, as by `nas`",
    "1 % of the gradient": "1 % of the gradient passed on",
    "1 % of what raises them": "1 % of the gradient raising the input passed on",
    "0.1 % of what raises them": "0.1 % of the gradient raising the input passed on",
}


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
        key = (row.network, row.kernels, row.steps, _TREATMENTS[row.waking])
        trained.setdefault(key, []).append(f"{row.rate}: {found}")
    return [
        "## Learning rate of kernels", "",
        "    python -m studies.training_speed.rates --help",
        "",
        "Every kernel of a network changes the output image, and in training each branch of a",
        "convolution has kernels of its own. The more kernels there are, the smaller the step of",
        "each should therefore be. Short trainings are not affected by this: after 250 steps, five",
        "random networks of `mobile` with branches have 0.08 dB less at half of 0.011 than at",
        "0.011. `nas` uses 0.011 up to 500 steps, and for longer trainings",
        "0.011 (500 / steps)^(1/6) (9 / kernels)^0.4, but at most 0.011 and at least",
        "0.011 (500 / steps)^(2/3); fewer than 7 kernels count as 7.",
        "",
        "If a channel's ReLU outputs 0 everywhere, no gradient reaches the channel's weights.",
        "Orthogonalization would turn what is left of their momentum into steps of full length in",
        "the old direction, which killed whole layers or made trainings diverge. `nas` therefore",
        "keeps such weights as they are, and raises the channel's bias until the channel outputs",
        "something again. Two alternatives were tried: ReLUs that output 0 pass on 1 % of the",
        "gradient, or 1 % of that part of it which raises their input. The first makes deep",
        "networks diverge, since lowering such an input changes nothing and so continues without",
        "end. Both need a custom gradient, for which TensorFlow keeps every traced graph.",
        "",
        "The table shows the floating-point PSNR for several peak rates, one seed each. Networks",
        "called plain are trained with their branches merged.",
        "",
        "| network | kernels | steps | treatment of ReLUs that output 0 | rate that `nas` uses "
        "| peak rate: PSNR, dB |",
        "|---|---|---|---|---|---|",
        *(
            f"| {network} | {kernels} | {steps:,} | {waking} "
            f"| {Recipe(steps).float_schedule(kernels).kernel_rate:.4f} | {'; '.join(cells)} |"
            for (network, kernels, steps, waking), cells in trained.items()
        ), "",
        "widened-u85-37ms and widened-u85-59ms have four and eight residual blocks of 32",
        "channels. Where they are trained with branches, their convolution of the image, which",
        "has none, had a rate of 0.0064 (2,500 steps) or 0.0041 (10,000 steps); it had 0.004 in",
        "the training at 0.0032 that passed on 1 % of the gradient raising the input.",
        "found-u85-14ms has the structure of widened-u85-37ms, but 16 channels. In the training",
        "of widened-u85-59ms at 0.0064 without treatment, four of eight blocks were dead after",
        "700 steps, and the others diverged after 1,400: it ended with a loss of 12 levels",
        "instead of 8.5, and with an INT8 file that XNNPACK refused.",
    ]  # fmt: skip


def main() -> None:
    """Writes the page."""
    rows = TRAININGS.read()
    lengths = sorted({row.steps for row in rows})
    table = [line(rows, v.name, steps) for steps in lengths for v in VARIANTS]
    failures = [
        f"{r.network}, variant {r.variant}, {r.steps:,} steps: {r.error}" for r in rows if r.error
    ]
    text = [
        "# Training speed", "",
        "This study compares how much PSNR different ways of training reach in the same number of",
        "gradient steps. Networks of the zoo and random networks of `mobile` for x3 are trained",
        "from the start for each number of steps, with 16 crops of 32x32 LR pixels per step in",
        "bfloat16. PSNR is that of the floating-point network on RGB on the validation images;",
        "gains are relative to Adam at 2e-3, the former optimizer, on the same networks.",
        "",
        "`orthogonalized` is the optimizer of `nas`: orthogonalized momentum at a kernel rate of",
        "0.011 up to 500 steps, and less for longer trainings (see below), where the part of a",
        "step that is common to all weights of an output is made 8 times smaller (damped).",
        "`undamped` is the published method, without this damping and with the same rate for",
        "every length. The names of the other variants say what they change. A training fails if",
        "a network's gradients die. All trainings are in [trainings.csv](trainings.csv); some",
        "networks, variants and lengths are not trained yet, and",
        "`python -m studies.training_speed.run --help` explains how to continue.",
        "",
        "Without damping, narrow layers die at twice the rate of 0.011; with damping, the rate",
        "can be higher. In long trainings they die at the rate of short ones: `other-00` lost a",
        "branch within 10,000 steps at 0.011 throughout, and reaches 27.45 dB at 0.0041. The",
        "trainings of 250 steps, except those of `orthogonalized` and `adam`, were made while",
        "ReLUs that output 0 passed on 1 % of the whole gradient.",
        "",
        "| steps | variant | networks | mean gain, dB | median gain, dB "
        "| smallest gain, dB (network) | failed trainings |",
        "|---|---|---|---|---|---|---|",
        *(row for row in table if row), "",
        "Failed trainings:", "",
        *(f"* {failure}" for failure in failures), "",
        *rates(RATES.read()),
    ]  # fmt: skip
    (HERE / "README.md").write_text("\n".join(text).rstrip() + "\n")


if __name__ == "__main__":
    main()
