"""How a search gets on, in words: to a person's terminal, a file, or the supervising process."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from queue import SimpleQueue
from typing import IO, TYPE_CHECKING, Protocol, Self

from ..quality.score import score_ratio
from ..studies.expected_front import ExpectedFront
from ..studies.record import Result, TrialRecord, reference_result
from ..system.files import json_text

if TYPE_CHECKING:
    from ..studies.study import Study
    from ..training.job import Progress
    from .objects import Callback


class Display(Protocol):
    """What shows a search; used from one thread, as a context manager."""

    def stage(self, worker: str, text: str) -> None:
        """``worker`` has come to ``text``; only the last one is of interest."""

    def line(self, text: str) -> None:
        """A line that stays."""

    def refresh(self) -> None:
        """The study has another trial that is over."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class Lines:
    """Plain lines on standard error, so that ``--json`` stays alone on standard output."""

    def __init__(self, label: str = "") -> None:
        self._label = f"[{label}] " if label else ""

    def stage(self, worker: str, text: str) -> None:
        pass

    def line(self, text: str) -> None:
        print(f"{self._label}{text}", file=sys.stderr, flush=True)

    def refresh(self) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


@dataclass(frozen=True)
class SearchEvent:
    """One call of a display, on its way from a worker process to its supervisor."""

    stage: str | None = None
    line: str | None = None

    def show_on(self, display: Display, worker: str) -> None:
        """Makes the call that it stands for; neither stage nor line: the study has changed."""
        if self.stage is not None:
            display.stage(worker, self.stage)
        elif self.line is not None:
            display.line(f"[{worker}] {self.line}" if worker else self.line)
        else:
            display.refresh()

    def to_json(self) -> str:
        """One line that ``from_json`` reads."""
        return json_text(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What ``to_json`` wrote; anything else that a worker prints is a line."""
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError):
            return cls(line=text)


class EventPipe(Lines):
    """A worker's display: its supervisor, to whom it writes a line of JSON for each call."""

    def __init__(self, stream: IO[str]) -> None:
        super().__init__()
        self._stream = stream

    def stage(self, worker: str, text: str) -> None:
        self._send(SearchEvent(stage=text))

    def line(self, text: str) -> None:
        self._send(SearchEvent(line=text))

    def refresh(self) -> None:
        self._send(SearchEvent())

    def _send(self, event: SearchEvent) -> None:
        with contextlib.suppress(BrokenPipeError):  # without a supervisor it is about to end
            # In one go: an interruption may not part a line from its end.
            self._stream.write(event.to_json() + "\n")
            self._stream.flush()


class Reporter:
    """Tells ``display`` of one worker's trials, then ``callbacks``; an observer of the search."""

    def __init__(
        self,
        study: Study,
        display: Display,
        worker: str = "",
        callbacks: Sequence[Callback] = (),
    ) -> None:
        self._study, self._display, self._worker = study, display, worker
        self._callbacks = callbacks
        #: from other threads, to be shown by the display's
        self._foreseen: SimpleQueue[ExpectedFront] = SimpleQueue()

    def stage(self, number: int, stage: str) -> None:
        """Trial ``number`` has come to ``stage``."""
        self._display.stage(self._worker, f"trial {number}: {stage}")
        while not self._foreseen.empty():
            self._tell(self._foreseen.get())

    def training(self, number: int, progress: Progress) -> None:
        """Trial ``number`` has come so far."""
        self.stage(
            number,
            f"training {progress.phase} {progress.step}/{progress.steps}, loss {progress.loss:.2f}",
        )

    def foreseen(self, front: ExpectedFront) -> None:
        """So much is expected before anything is trained; shown when a trial's stage is."""
        self._foreseen.put(front)

    def ended(self, record: TrialRecord, records: Sequence[TrialRecord]) -> None:
        """A trial is over, one way or another; it is among ``records``, all of the study."""
        self._display.stage(self._worker, "next trial")
        self._display.line(_describe(record, reference_result(records, "ABPN")))
        self._display.refresh()
        for callback in self._callbacks:
            callback(self._study, record)

    def _tell(self, front: ExpectedFront) -> None:
        """Once a study, whichever worker knows first."""
        if front.points and self._study.expected_front() is None:
            self._study.note_expected_front(front)
            self._display.line(front.text)


def _describe(record: TrialRecord, abpn: Result | None) -> str:
    name = f"trial {record.number}" + (f" ({record.baseline})" if record.baseline else "")
    result = record.result
    if result is None:
        return f"{name}: {record.outcome or 'interrupted'}: {record.reason}"
    ratio = f"{score_ratio(result.log2_score, abpn.log2_score):.2f} x ABPN" if abpn else "-"
    return (
        f"{name}: {result.psnr_db:.2f} dB INT8 (drop {result.drop_db:+.3f}), "
        f"{result.expected.text} expected, {result.latency.text}, score {ratio}, "
        f"{result.seconds['total']:.0f} s"
    )
