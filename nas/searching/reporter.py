"""Puts into words how the trials of one worker get on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..studies.record import TrialRecord
from .display import Display
from .leaderboard import Leaderboard, LeaderboardEntry

if TYPE_CHECKING:
    from ..studies.study import Study
    from ..training.job import Progress


class Reporter:
    """Tells ``display`` of one worker's trials; an observer of the search."""

    def __init__(self, study: Study, display: Display, worker: str = "") -> None:
        self._study, self._display, self._worker = study, display, worker
        self._abpn: LeaderboardEntry | None = None

    def stage(self, number: int, stage: str) -> None:
        """Trial ``number`` has come to ``stage``."""
        self._display.stage(self._worker, f"trial {number}: {stage}")

    def training(self, number: int, progress: Progress) -> None:
        """Trial ``number`` has come so far."""
        self.stage(
            number,
            f"training {progress.phase} {progress.step}/{progress.steps}, loss {progress.loss:.2f}",
        )

    def ended(self, record: TrialRecord) -> None:
        """A trial is over, one way or another."""
        self._display.stage(self._worker, "next trial")
        self._display.line(_describe(record, self._yardstick()))
        self._display.refresh()

    def _yardstick(self) -> LeaderboardEntry | None:
        """ABPN, once it is trained; by then it stays as it is."""
        if self._abpn is None:
            self._abpn = Leaderboard.of(self._study.records()).reference("ABPN")
        return self._abpn


def _describe(record: TrialRecord, abpn: LeaderboardEntry | None) -> str:
    name = f"trial {record.number}" + (f" ({record.baseline})" if record.baseline else "")
    result = record.result
    if result is None:
        return f"{name}: {record.outcome or 'interrupted'}: {record.reason}"
    ratio = (
        f"{LeaderboardEntry(record.number, None, result).ratio_to(abpn):.2f} x ABPN"
        if abpn
        else "-"
    )
    return (
        f"{name}: {result.psnr_db:.2f} dB INT8 ({result.drop_db:+.3f} from float), "
        f"{result.expected.text} expected, {result.latency.text}, score {ratio}, "
        f"{result.seconds['total']:.0f} s"
    )
