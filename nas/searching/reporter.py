"""Tells a person how a search gets on: one live line in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from ..score import log2_score, score_ratio
from ..studies.budget import Budget, format_seconds
from ..studies.record import TrialRecord
from ..studies.study import Study

if TYPE_CHECKING:
    from ..networks.training import Progress

_REFRESH_SECONDS = 0.5


class Reporter:
    """Prints to standard error, so that ``--json`` stays alone on standard output."""

    def __init__(self, study: Study, budget: Budget, label: str = "") -> None:
        self._budget = budget
        self._label = f"[{label}] " if label else ""
        self._live = sys.stderr.isatty() and not label
        self._drawn = 0.0
        self._started = time.monotonic() - study.elapsed_seconds()
        self._abpn: float | None = None
        self._best: float | None = None
        self._trained = 0
        for record in study.records():
            self._count(record)

    def stage(self, number: int, stage: str) -> None:
        """Trial ``number`` has come to ``stage``."""
        self._draw(f"trial {number}: {stage}", force=True)

    def training(self, number: int, progress: Progress) -> None:
        """Trial ``number`` has made a step."""
        text = f"trial {number}: training {progress.phase} {progress.step}/{progress.steps}"
        self._draw(f"{text}, loss {progress.loss:.2f}")

    def ended(self, record: TrialRecord) -> None:
        """A trial is over, one way or another."""
        self._count(record)
        self.line(self._describe(record))

    def line(self, text: str) -> None:
        """A line that stays."""
        erase = "\r\x1b[2K" if self._live else ""
        print(f"{erase}{self._label}{text}", file=sys.stderr, flush=True)

    def _draw(self, text: str, *, force: bool = False) -> None:
        now = time.monotonic()
        if not self._live or (not force and now - self._drawn < _REFRESH_SECONDS):
            return
        self._drawn = now
        parts = [text, f"best {self._ratio(self._best)}", self._left()]
        print("\r\x1b[2K" + " | ".join(parts)[:160], end="", file=sys.stderr, flush=True)

    def _left(self) -> str:
        parts = []
        if self._budget.trials is not None:
            parts.append(f"{self._trained}/{self._budget.trials} trials")
        if self._budget.seconds is not None:
            left = max(0.0, self._budget.seconds - (time.monotonic() - self._started))
            parts.append(f"{format_seconds(left)} left")
        return ", ".join(parts)

    def _count(self, record: TrialRecord) -> None:
        if record.result is None:
            return
        value = log2_score(record.result.psnr_db, record.result.latency.ms)
        if record.baseline == "ABPN":
            self._abpn = value
        if record.is_finding:
            self._trained += 1
            self._best = value if self._best is None else max(self._best, value)

    def _ratio(self, value: float | None) -> str:
        if value is None or self._abpn is None:
            return "-"
        return f"{score_ratio(value, self._abpn):.2f} x ABPN"

    def _describe(self, record: TrialRecord) -> str:
        name = f"trial {record.number}" + (f" ({record.baseline})" if record.baseline else "")
        result = record.result
        if result is None:
            return f"{name}: {record.outcome or 'interrupted'}: {record.reason}"
        score = self._ratio(log2_score(result.psnr_db, result.latency.ms))
        return (
            f"{name}: {result.psnr_db:.2f} dB INT8 ({result.drop_db:+.3f} from float), "
            f"{result.latency.ms:.2f} ms, score {score}, {result.seconds['total']:.0f} s"
        )
