"""Where a search's events go: to a person's terminal, a file, or the supervising process."""

from __future__ import annotations

import contextlib
import json
import sys
from dataclasses import asdict, dataclass
from typing import IO, Protocol, Self

from ..system.files import json_text


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

    def tell(self, display: Display, worker: str) -> None:
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
