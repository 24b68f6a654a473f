"""Progress on standard error: a bar for a terminal, and lines for a training."""

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

#: ``show(what, done, total)`` of ``progress_bar``.
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

    A terminal shows one line that is updated twice a second; a file gets a line each 30 seconds.
    """

    def __init__(self) -> None:
        self._pending_notes: Sequence[str] = ()
        self._is_terminal = sys.stderr.isatty()
        self._every_seconds = 0.5 if self._is_terminal else 30.0
        self._drawn_at = float("-inf")
        self._phase: Phase | None = None
        self._phase_began = 0.0
        self._phase_first_step = 0

    def begins(self, notes: Sequence[str]) -> None:
        """Keeps ``notes`` until the first step, which prints them."""
        self._pending_notes = notes

    def taught(self, made: int, images: int) -> None:
        """Shows how many images the teacher has enlarged."""
        self._print_pending_notes()
        self._draw_if_due(lambda: f"teacher: image {made} of {images}", time.monotonic())

    def observe(self, progress: Progress) -> None:
        """Shows the progress of a training step."""
        self._print_pending_notes()
        now = time.monotonic()
        if progress.phase != self._phase:  # steps of another phase take another time
            self._phase, self._phase_began, self._phase_first_step = (
                progress.phase,
                now,
                progress.step,
            )
        self._draw_if_due(lambda: self._describe(progress, now), now)

    def judged(self, point: ValidationPoint) -> None:
        """Shows the result of a validation."""
        rounding = "with INT8 rounding" if point.phase == "int8" else "in floating point"
        self._print_line(f"step {point.step}: validation {point.psnr_db:.3f} dB {rounding}")

    def close(self) -> None:
        """Removes the updated line in a terminal."""
        if self._is_terminal:
            print("\r\x1b[2K", end="", file=sys.stderr, flush=True)

    def _describe(self, progress: Progress, now: float) -> str:
        from ..studies.budget import format_seconds

        text = f"{progress.phase} step {progress.step}/{progress.steps}, loss {progress.loss:.3f}"
        made = progress.step - self._phase_first_step
        if made:
            left = (now - self._phase_began) / made * (progress.steps - progress.step)
            text += f", about {format_seconds(left)} of it left"
        return text

    def _print_pending_notes(self) -> None:
        for line in self._pending_notes:
            print(line, file=sys.stderr)
        self._pending_notes = ()

    def _draw_if_due(self, text: Callable[[], str], now: float) -> None:
        """Draws ``text`` unless another text was drawn within the last ``_every_seconds``."""
        if now - self._drawn_at >= self._every_seconds:
            self._drawn_at = now
            self._draw(text())

    def _draw(self, text: str) -> None:
        if self._is_terminal:
            # A line that wraps could not be erased.
            text = text[: shutil.get_terminal_size().columns - 1]
            print(f"\r\x1b[2K{text}", end="", file=sys.stderr, flush=True)
        else:
            print(text, file=sys.stderr, flush=True)

    def _print_line(self, text: str) -> None:
        self._draw(text)
        if self._is_terminal:
            print(file=sys.stderr, flush=True)
