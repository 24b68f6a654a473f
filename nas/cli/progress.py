"""How long work gets on, on standard error: a bar in a terminal, a training's lines anywhere."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..evaluation.validation import ValidationPoint
    from ..training.job import Phase, Progress

Show = Callable[[str, int, int], None]


@contextlib.contextmanager
def progress_bar() -> Iterator[Show]:
    """Yields ``show(what, done, total)``; another ``what`` begins another bar in its place."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(
        *columns,
        console=console,
        transient=True,
        disable=not console.is_terminal,
        # Else what is printed to a file or a pipe would be drawn above the bar instead.
        redirect_stdout=sys.stdout.isatty(),
    ) as bar:
        task = bar.add_task("", total=None)
        shown = ""

        def show(what: str, done: int, total: int) -> None:
            nonlocal shown
            if what != shown:
                bar.reset(task, description=what, total=total)
                shown = what
            bar.update(task, completed=done, total=total)

        yield show


class TrainingReporter:
    """How far a training is, how well, and how long still: a line that changes, or one at times."""

    def __init__(self) -> None:
        self._opening: Sequence[str] = ()
        self._live = sys.stderr.isatty()
        self._every_seconds = 0.5 if self._live else 30.0
        self._drawn = float("-inf")
        self._phase: Phase | None = None
        self._began = 0.0
        self._first = 0

    def begins(self, notes: Sequence[str]) -> None:
        """``notes`` are shown once the first step is made."""
        self._opening = notes

    def observe(self, progress: Progress) -> None:
        """A step is made."""
        for line in self._opening:
            print(line, file=sys.stderr)
        self._opening = ()
        now = time.monotonic()
        if progress.phase != self._phase:  # steps of another take another time
            self._phase, self._began, self._first = progress.phase, now, progress.step
        if now - self._drawn >= self._every_seconds:
            self._drawn = now
            self._draw(self._describe(progress, now))

    def judged(self, point: ValidationPoint) -> None:
        """The network in training was judged."""
        said = "with INT8 rounding" if point.phase == "int8" else "in floating point"
        self._keep(f"step {point.step}: validation {point.psnr_db:.3f} dB {said}")

    def close(self) -> None:
        """Nothing more will come: a line that changes goes."""
        if self._live:
            print("\r\x1b[2K", end="", file=sys.stderr, flush=True)

    def _describe(self, progress: Progress, now: float) -> str:
        from ..studies.budget import format_seconds

        text = f"{progress.phase} step {progress.step}/{progress.steps}, loss {progress.loss:.3f}"
        made = progress.step - self._first
        if made:
            left = (now - self._began) / made * (progress.steps - progress.step)
            text += f", about {format_seconds(left)} of it left"
        return text

    def _draw(self, text: str) -> None:
        if self._live:
            # A line that the terminal breaks could not be taken back.
            text = text[: shutil.get_terminal_size().columns - 1]
            print(f"\r\x1b[2K{text}", end="", file=sys.stderr, flush=True)
        else:
            print(text, file=sys.stderr, flush=True)

    def _keep(self, text: str) -> None:
        self._draw(text)
        if self._live:
            print(file=sys.stderr, flush=True)
