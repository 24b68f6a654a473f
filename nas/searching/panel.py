"""The panel that is shown in a terminal while a search runs."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass, field
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from search_spaces.zoo import REFERENCES

from ..studies.budget import Budget, format_seconds
from ..studies.study import Study
from .leaderboard import Leaderboard, LeaderboardEntry
from .scatter import Mark, scatter

_FRAMES_PER_SECOND = 2
#: maximum width of the panel in columns
_MAX_WIDTH = 100
#: columns left free beside the panel, for the ^C that a terminal shows on Ctrl-C
_ECHO_WIDTH = 4
_PLOT_ROWS = 8
#: minimum number of rows of a terminal in which the plot is shown
_MIN_ROWS_WITH_PLOT = 26
#: symbol and style of networks on the front, and of other trained networks
_FRONT, _TRAINED = ("●", "bold green"), ("·", "dim")
#: style of references
_REFERENCE = "bold yellow"


class LivePanel:
    """A panel on standard error, redrawn twice a second; permanent lines are printed above it."""

    def __init__(self, study: Study, budget: Budget) -> None:
        self._study, self._budget = study, budget
        # A duplicate, because standard error itself is redirected while TensorFlow is imported.
        self._file = os.fdopen(os.dup(sys.stderr.fileno()), "w")
        self._console = Console(file=self._file)
        self._stages: dict[str, str] = {}
        self.refresh()
        self._live = Live(
            get_renderable=self._draw,
            console=self._console,
            refresh_per_second=_FRAMES_PER_SECOND,
            transient=True,
            # Output to a file or a pipe must not be redirected to the terminal.
            redirect_stdout=sys.stdout.isatty(),
        )

    def stage(self, worker: str, text: str) -> None:
        self._stages[worker] = text

    def line(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)

    def refresh(self) -> None:
        self._leaderboard = Leaderboard.of(self._study.records())
        self._started = time.monotonic() - self._study.elapsed_seconds()

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()
        self._file.close()

    def _draw(self) -> RenderableType:
        bicubic_db = self._study.settings.references.bicubic_psnr_db
        width, height = self._console.size
        return View(
            title=f"{self._study.name} on {self._study.settings.device}",
            budget=self._budget,
            elapsed_seconds=time.monotonic() - self._started,
            leaderboard=self._leaderboard,
            bicubic_psnr_db=bicubic_db,
            stages=dict(self._stages),
        ).draw(min(width - _ECHO_WIDTH, _MAX_WIDTH), height)


@dataclass(frozen=True)
class View:
    """The contents of one frame of the panel."""

    title: str
    budget: Budget
    elapsed_seconds: float
    leaderboard: Leaderboard
    bicubic_psnr_db: float
    #: current stage by name of worker; the name is empty if there is only one
    stages: dict[str, str] = field(default_factory=dict)

    def draw(self, width: int, height: int) -> Panel:
        """Draws the panel in ``width`` columns; ``height`` is that of the terminal.

        The plot is left out if the terminal has few rows.
        """
        parts: list[RenderableType] = [self._budget(), self._scores()]
        if self.leaderboard.candidates and height >= _MIN_ROWS_WITH_PLOT:
            parts += [self._front(width - 4), self._legend(), Text()]
        return Panel(Group(*parts, self._workers()), title=self.title, width=width)

    def _budget(self) -> RenderableType:
        trained, parts = len(self.leaderboard.candidates), []
        if self.budget.trials is not None:
            parts.append(f"{trained} of {self.budget.trials} trials")
        else:
            parts.append(f"{trained} trials")
        elapsed = format_seconds(self.elapsed_seconds)
        limit = self.budget.seconds
        parts.append(elapsed if limit is None else f"{elapsed} of {format_seconds(limit)}")
        left = self.leaderboard.seconds_left(self.budget, self.elapsed_seconds)
        if left is not None:
            parts.append(f"about {format_seconds(left)} left")
        done = self.leaderboard.done(self.budget, self.elapsed_seconds)
        row = Table.grid(expand=True, padding=(0, 1))
        row.add_column(no_wrap=True)
        row.add_column(ratio=1)
        row.add_row(", ".join(parts), ProgressBar(total=1.0, completed=done))
        return Group(row, Text())

    def _scores(self) -> RenderableType:
        names = [network.name for network in REFERENCES]
        references = [self.leaderboard.reference(name) for name in names]
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        table.add_column("")
        for title in ("PSNR expected", "latency", *(f"score / {name}" for name in names)):
            table.add_column(title, justify="right")
        best = self.leaderboard.best
        if best is None:
            table.add_row("best so far", *["-"] * (2 + len(names)), style="bold")
        else:
            table.add_row(f"best: trial {best.trial}", *_figures(best, references), style="bold")
        for entry in self.leaderboard.references:
            table.add_row(entry.baseline or "", *_figures(entry, references), style=_REFERENCE)
        table.add_row("bicubic", f"{self.bicubic_psnr_db:.2f} dB", *["-"] * (1 + len(names)))
        lead = self.leaderboard.lead
        predicted = lead is not None and lead.is_predicted
        interval = [Text(f"lead over ABPN: {lead.text}", style="dim")] if lead and predicted else []
        return Group(table, *interval, Text())

    def _front(self, width: int) -> Text:
        on_front = {entry.trial for entry in self.leaderboard.front}
        others = [entry for entry in self.leaderboard.candidates if entry.trial not in on_front]
        marks = [_mark(entry, *_TRAINED) for entry in others]
        marks += [_mark(e, (e.baseline or "?")[0], _REFERENCE) for e in self.leaderboard.references]
        marks += [_mark(entry, *_FRONT) for entry in self.leaderboard.front]
        return scatter(marks, width, _PLOT_ROWS, "ms")

    def _legend(self) -> Text:
        legend = Text("          ")
        legend.append(*_FRONT).append(" Pareto front  ", "dim")
        legend.append(*_TRAINED).append(" trained", "dim")
        for entry in self.leaderboard.references:
            name = entry.baseline or "?"
            legend.append(f"  {name[0]}", _REFERENCE).append(f" {name}", "dim")
        return legend.append("  (expected dB over ms)", "dim")

    def _workers(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim", no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis")
        for worker, stage in sorted(self.stages.items()):
            table.add_row(worker or "now", stage)
        return table


def _figures(entry: LeaderboardEntry, references: list[LeaderboardEntry | None]) -> list[str]:
    """Returns the cells of a row: PSNR, latency, and the score's ratio to each reference."""
    ratios = ["-" if other is None else f"{entry.ratio_to(other):.2f}" for other in references]
    result = entry.result
    return [result.expected.text, result.latency.text, *ratios]


def _mark(entry: LeaderboardEntry, symbol: str, style: str) -> Mark:
    return Mark(entry.result.scored_ms, entry.result.expected.psnr_db, symbol, style)
