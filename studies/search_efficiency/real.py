r"""Compares real searches by several samplers.

    nas search --space mobile --device D --data DIR --sampler S --seed N --budget 40 --workers 1 \
        --study NAME
    python -m studies.search_efficiency.real NAME ...

The second command, run in the folder of the first, adds the trained networks of these studies to
``real.csv``; the page that ``run`` writes includes them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from nas.quality.score import score_ratio
from nas.studies.study import load_study

from ..ledger import Ledger

#: Numbers of trainings that the table has columns for.
_COLUMNS = (3, 5, 10, 20, 40, 80, 120)


@dataclass(frozen=True)
class RealTraining:
    """A network that a search trained."""

    study: str
    device: str
    sampler: str
    seed: int
    trial: int
    psnr_db: float
    expected_psnr_db: float
    runtime_ms: float
    #: Score divided by ABPN's in the same study, both as expected after a full training.
    score_to_abpn: float


LEDGER = Ledger(Path(__file__).parent / "real.csv", RealTraining)


def trainings(name: str) -> Iterator[RealTraining]:
    """Yields the trainings of a study in order, with the package's present expectations."""
    study = load_study(name)
    stored, expectations = study.records(), study.expectations()
    records = [
        record.expecting(expectations.of(record.network.graph, found.macs, found.psnr_db, stored))
        for record in stored
        if (found := record.result) is not None
    ]
    abpn = next(r.result.log2_score for r in records if r.baseline == "ABPN" and r.result)
    settings = study.settings
    for record in records:
        if record.result is not None and record.baseline is None:
            result = record.result
            yield RealTraining(
                name, settings.device, str(settings.sampler), settings.seed, record.number,
                round(result.psnr_db, 4), round(result.expected.psnr_db, 4),
                round(result.latency.ms, 4), round(score_ratio(result.log2_score, abpn), 4),
            )  # fmt: skip


def section() -> list[str]:
    """Returns lines of Markdown; none if real.csv has no rows."""
    rows = LEDGER.read()
    if not rows:
        return []
    columns = " | ".join(f"score after {count}" for count in _COLUMNS)
    lines = [
        "",
        "## Real searches",
        "",
        "Searches with real trainings on 369 photographs, run as described in [real.py](real.py),",
        "each on one of two hyperthreads of a machine that did other work, too. Every training is",
        "in [real.csv](real.csv). The table shows the best score after a number of trainings,",
        "relative to ABPN's score in the same study; both are the scores expected after a full",
        "training. The prior of `surrogate` does not contain networks that such searches found:",
        "with seed 0 it is fitted to the package's table of that time, with other seeds to",
        "today's table without the rows marked `related`.",
        "",
        f"| device | sampler | seed | {columns} | networks trained |",
        f"|---|---|---|{'---|' * (len(_COLUMNS) + 1)}",
    ]
    for study, group in groupby(rows, key=lambda row: row.study):
        found = list(group)
        scores = [row.score_to_abpn for row in found]
        cells = [f"{max(scores[:n]):.2f}" if len(scores) >= n else "" for n in _COLUMNS]
        title = f"{found[0].device} | {found[0].sampler} | {found[0].seed}"
        lines.append(f"| {title} | {' | '.join(cells)} | {len(scores)} |")
        print(study, lines[-1])
    return lines


if __name__ == "__main__":
    known = {row.study for row in LEDGER.read()}
    for wanted in sys.argv[1:]:
        if wanted not in known:
            for training in trainings(wanted):
                LEDGER.keep(training)
