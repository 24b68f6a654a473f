"""Measures how much of a winner's lead over ABPN is due to uncertain latencies, by ``--risk``.

    python -m studies.predicted_leads.run --budget 30m --data DIR

Searches ``mobile`` on dimensity8100-nnapi twice for each seed: by the score at the predicted
latency, and by the mean score over its interval. Writes ``results.json`` and ``README.md`` beside
this file. With ``--folder`` the searches are kept there, and the same command continues them.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import nas
from nas.choices import Risk
from nas.data.images import EMBEDDED, load_data
from nas.searching.leaderboard import Leaderboard
from nas.studies.lead import Lead
from nas.system.files import write_json, write_text
from nas.system.versions import installed_versions

from ..ledger import described

HERE = Path(__file__).parent
SPACE, DEVICE, SCALE = "mobile", "dimensity8100-nnapi", 3
RISKS = (Risk.POINT, Risk.MEAN)


@dataclass(frozen=True)
class Winner:
    """The best network of one search, and ABPN; times are predicted ms on the device."""

    seed: int
    risk: Risk
    trained: int
    steps: int
    trial: int
    parameters: int
    expected_psnr_db: float
    ms: float
    low_ms: float
    high_ms: float
    abpn_psnr_db: float
    abpn_ms: float
    abpn_low_ms: float
    abpn_high_ms: float
    lead: Lead
    #: Median ratio of the upper to the lower end of the interval, over all trained networks.
    usual_width: float

    @property
    def width(self) -> float:
        """Ratio of the upper to the lower end of the winner's interval."""
        return self.high_ms / self.low_ms

    @property
    def share_of_doubt(self) -> float | None:
        """Share of the lead at the predictions that the means do not keep; None without a lead."""
        lead = self.lead.predicted - 1
        return self.lead.from_doubt / lead if lead > 0 else None


def search(args: argparse.Namespace, folder: Path, seed: int, risk: Risk) -> Winner:
    """Runs or continues one search."""
    outcome = nas.search(
        args.budget,
        space=SPACE,
        device=DEVICE,
        scale=SCALE,
        data=args.data,
        risk=risk,
        seed=seed,
        steps=args.steps,
        folder=folder / f"{risk}-{seed}",
    )
    board = Leaderboard.of(outcome.study.records())
    best, abpn, lead = board.best, board.reference("ABPN"), board.lead
    if best is None or abpn is None or lead is None:
        raise SystemExit(f"nothing found by {risk}, seed {seed}: {outcome.reason}")
    own, other = best.result, abpn.result
    widths = [e.result.latency.high_ms / e.result.latency.low_ms for e in board.candidates]
    return Winner(
        seed=seed,
        risk=risk,
        trained=len(board.candidates),
        steps=outcome.study.settings.steps,
        trial=best.trial,
        parameters=own.parameters,
        expected_psnr_db=own.expected.psnr_db,
        ms=own.latency.ms,
        low_ms=own.latency.low_ms,
        high_ms=own.latency.high_ms,
        abpn_psnr_db=other.expected.psnr_db,
        abpn_ms=other.latency.ms,
        abpn_low_ms=other.latency.low_ms,
        abpn_high_ms=other.latency.high_ms,
        lead=lead,
        usual_width=statistics.median(widths),
    )


def page(winners: list[Winner], budget: str, images: str) -> str:
    """Returns the text of README.md."""
    rows = [
        f"| {w.seed} | `{w.risk}` | {w.trained} | {w.expected_psnr_db:.2f} | "
        f"{w.ms:.2f} ({w.low_ms:.2f} to {w.high_ms:.2f}) | {w.width:.2f} | {w.usual_width:.2f} | "
        f"{w.lead.predicted:.2f} | {w.lead.mean:.2f} | {w.lead.least:.2f} to {w.lead.most:.2f} | "
        f"{_percent(w.share_of_doubt)} |"
        for w in winners
    ]
    first = winners[0]
    return "\n".join(
        [
            "# How much of a winner's lead is due to uncertain latency predictions",
            "",
            "`python -m studies.predicted_leads.run --budget 30m --data DIR` repeats the study;",
            "all figures are in [results.json](results.json).",
            "",
            f"Searches of `{SPACE}` for {DEVICE}, each with a budget of {budget}, with",
            f"{first.steps} training steps for each candidate, {images}.",
            "With `--risk point` a search maximizes the score at the predicted latency, with",
            "`--risk mean` the score at the",
            "[mean over the interval](../../docs/searching.md#what-of-a-prediction-counts).",
            "",
            "| seed | `--risk` | networks trained | winner: expected PSNR, dB | winner: predicted "
            "latency (interval), ms | winner: interval width (upper / lower bound) | median "
            "interval width of all trained networks | score / ABPN's at the predicted latencies | "
            "score / ABPN's at the mean latencies | score / ABPN's at opposite interval bounds | "
            "share of the lead due to uncertainty |",
            "|---|---|---|---|---|---|---|---|---|---|---|",
            *rows,
            "",
            f"The predicted latency of ABPN is {first.abpn_ms:.2f} ms "
            f"({first.abpn_low_ms:.2f} to {first.abpn_high_ms:.2f}).",
            "The lead is the ratio of the scores minus 1. The share due to uncertainty is the part",
            "of the lead at the predicted latencies that is missing at the mean latencies. At",
            "opposite interval bounds, the winner is as slow and ABPN as fast as their intervals",
            "allow, and vice versa: a ratio that stays above 1 holds for all latencies within the",
            "intervals.",
            "",
            *_comparison(winners),
            "",
        ]
    )


def _comparison(winners: list[Winner]) -> Iterator[str]:
    """Yields a paragraph for each seed."""
    by_risk = {(w.seed, w.risk): w for w in winners}
    for seed in dict.fromkeys(w.seed for w in winners):
        point, mean = by_risk[seed, Risk.POINT], by_risk[seed, Risk.MEAN]
        yield (
            f"Seed {seed}: {_percent(point.share_of_doubt)} of the lead is due to uncertainty with "
            f"`point`, {_percent(mean.share_of_doubt)} with `mean`. The winner with `mean` has "
            f"{mean.lead.mean / point.lead.mean:.2f} times the score of the winner with `point` at "
            f"the mean latencies, and {mean.lead.least / point.lead.least:.2f} times at the "
            f"unfavourable interval bounds."
        )


def _percent(share: float | None) -> str:
    return "no lead" if share is None else f"{share:z.0%}"


def main() -> None:
    """Runs the searches, and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--budget", default="30m", help="budget of each search [30m]")
    parser.add_argument("--data", default=EMBEDDED, help="folder of photographs [embedded]")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="seeds [0]")
    parser.add_argument("--steps", type=int, help="gradient steps of each candidate")
    parser.add_argument("--folder", type=Path, help="keeps the searches there [a temporary folder]")
    args = parser.parse_args()
    data = load_data(args.data, SCALE)
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary)
        winners = [search(args, folder, seed, risk) for seed in args.seeds for risk in RISKS]
    results = {
        "budget": args.budget,
        "training": described(data.training),
        "validation": described(data.validation),
        "winners": [asdict(winner) for winner in winners],
        "versions": installed_versions(),
    }
    write_json(HERE / "results.json", results)
    images = (
        "on the embedded photographs"
        if args.data == EMBEDDED
        else f"on {len(data.training.pairs)} images and {len(data.validation.pairs)} for validation"
    )
    text = page(winners, args.budget, images)
    write_text(HERE / "README.md", text)
    print(text)


if __name__ == "__main__":
    main()
