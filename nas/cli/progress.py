"""Progress on standard error: a bar in a terminal, and lines of a training."""

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
    """Yields ``show(what, done, total)``; a new ``what`` restarts the bar."""
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
        # Output to a file or a pipe must not be redirected to the terminal.
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
    """Shows progress, validation and remaining time of a training.

    A line that is updated in a terminal, else a line from time to time.
    """

    def __init__(self) -> None:
        self._opening: Sequence[str] = ()
        self._live = sys.stderr.isatty()
        self._every_seconds = 0.5 if self._live else 30.0
        self._drawn = float("-inf")
        self._phase: Phase | None = None
        self._began = 0.0
        self._first = 0

    def begins(self, notes: Sequence[str]) -> None:
        """Keeps ``notes``, which are printed at the first step."""
        self._opening = notes

    def taught(self, made: int, images: int) -> None:
        """Shows how many images the teacher has made."""
        self._open()
        self._show(lambda: f"teacher: image {made} of {images}", time.monotonic())

    def observe(self, progress: Progress) -> None:
        """Shows the progress of a training step."""
        self._open()
        now = time.monotonic()
        if progress.phase != self._phase:  # the time of a step differs between phases
            self._phase, self._began, self._first = progress.phase, now, progress.step
        self._show(lambda: self._describe(progress, now), now)

    def judged(self, point: ValidationPoint) -> None:
        """Shows the result of a validation."""
        rounding = "with INT8 rounding" if point.phase == "int8" else "in floating point"
        self._keep(f"step {point.step}: validation {point.psnr_db:.3f} dB {rounding}")

    def close(self) -> None:
        """Removes the updated line in a terminal."""
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

    def _open(self) -> None:
        for line in self._opening:
            print(line, file=sys.stderr)
        self._opening = ()

    def _show(self, text: Callable[[], str], now: float) -> None:
        """Draws ``text`` unless another one was drawn just before."""
        if now - self._drawn >= self._every_seconds:
            self._drawn = now
            self._draw(text())

    def _draw(self, text: str) -> None:
        if self._live:
            # A line that wraps could not be removed.
            text = text[: shutil.get_terminal_size().columns - 1]
            print(f"\r\x1b[2K{text}", end="", file=sys.stderr, flush=True)
        else:
            print(text, file=sys.stderr, flush=True)

    def _keep(self, text: str) -> None:
        self._draw(text)
        if self._live:
            print(file=sys.stderr, flush=True)
