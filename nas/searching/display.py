"""Shows the progress of a search as text: in a terminal, a file, or the supervising process."""

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
    """Shows the progress of a search; a context manager that is used from one thread."""

    def stage(self, worker: str, text: str) -> None:
        """Shows ``text`` as the current stage of ``worker``, in place of its previous stage."""

    def line(self, text: str) -> None:
        """Shows a permanent line."""

    def refresh(self) -> None:
        """Shows the results of the study anew, since another trial has ended."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class Lines:
    """Prints plain lines on standard error; standard output is left to ``--json``."""

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
    """A call of a display's method, sent from a worker process to its supervisor.

    With neither stage nor line it stands for ``refresh``.
    """

    stage: str | None = None
    line: str | None = None

    def show_on(self, display: Display, worker: str) -> None:
        """Makes the call on ``display``, for the worker of the given name."""
        if self.stage is not None:
            display.stage(worker, self.stage)
        elif self.line is not None:
            display.line(f"[{worker}] {self.line}" if worker else self.line)
        else:
            display.refresh()

    def to_json(self) -> str:
        """Returns the event as one line, which ``from_json`` reads."""
        return json_text(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Returns the event that ``to_json`` wrote; any other text becomes a line to show."""
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError):
            return cls(line=text)


class EventPipe(Lines):
    """The display of a worker process: writes each call to its supervisor as a line of JSON."""

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
        with contextlib.suppress(BrokenPipeError):  # the supervisor is gone: this process ends soon
            # One call of write, so that an interruption cannot cut the line from its newline.
            self._stream.write(event.to_json() + "\n")
            self._stream.flush()


class Reporter:
    """Observes one worker's trials, shows them on ``display`` and calls the ``callbacks``."""

    def __init__(
        self,
        study: Study,
        display: Display,
        worker: str = "",
        callbacks: Sequence[Callback] = (),
    ) -> None:
        self._study, self._display, self._worker = study, display, worker
        self._callbacks = callbacks
        #: reported by any thread; shown by the thread that uses the display
        self._expected_fronts: SimpleQueue[ExpectedFront] = SimpleQueue()

    def stage(self, number: int, stage: str) -> None:
        """Shows the present stage of trial ``number``, and expected fronts reported meanwhile."""
        self._display.stage(self._worker, f"trial {number}: {stage}")
        while not self._expected_fronts.empty():
            self._show_expected_front(self._expected_fronts.get())

    def training(self, number: int, progress: Progress) -> None:
        """Shows the progress of the training of trial ``number``."""
        self.stage(
            number,
            f"training {progress.phase} {progress.step}/{progress.steps}, loss {progress.loss:.2f}",
        )

    def front_expected(self, front: ExpectedFront) -> None:
        """Keeps the front expected before any training, to be shown with the next stage."""
        self._expected_fronts.put(front)

    def ended(self, record: TrialRecord, records: Sequence[TrialRecord]) -> None:
        """Shows a trial that has ended; ``records`` are all of the study, its own included."""
        self._display.stage(self._worker, "next trial")
        self._display.line(_describe(record, reference_result(records, "ABPN")))
        self._display.refresh()
        for callback in self._callbacks:
            callback(self._study, record)

    def _show_expected_front(self, front: ExpectedFront) -> None:
        """Shows and stores the expected front, unless another worker has done so already."""
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
