"""Worker processes: starts several, shows their events, and ends them with the supervisor."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import IO

from ..system.cores import Cores
from .display import Display, EventPipe, SearchEvent

_SUPERVISED = "NAS_SUPERVISED"
#: Time without events after which the display is refreshed with results of other machines.
_REFRESH_SECONDS = 10.0
#: Time after which SIGTERM is repeated: Python drops an exception that a signal handler raises in a
#: destructor or in a callback, as during imports.
_SIGTERM_INTERVAL_SECONDS = 30.0


def run_worker_processes(
    command: Sequence[str], shares: Sequence[Cores], display: Display
) -> list[int]:
    """Runs ``command`` once for each share of the cores; returns the exit codes.

    Events and lines of the processes are shown on ``display``. On KeyboardInterrupt the processes
    are terminated and awaited.
    """
    names = [f"worker {share}" if len(shares) > 1 else "" for share in shares]
    processes = {name: _begin(command, share) for name, share in zip(names, shares, strict=True)}
    inbox: queue.Queue[tuple[str, SearchEvent] | None] = queue.Queue()
    for name, process in processes.items():
        display.stage(name, "starting")
        assert process.stdout is not None
        assert process.stderr is not None
        for stream, parse in ((process.stdout, SearchEvent.from_json), (process.stderr, _as_line)):
            threading.Thread(
                target=_forward, args=(name, stream, parse, inbox), daemon=True
            ).start()
    try:
        _listen(inbox, display, open_streams=2 * len(processes))
    except KeyboardInterrupt:
        for process in processes.values():
            process.terminate()
        for process in processes.values():
            _await_end(process)
        raise
    return [process.wait() for process in processes.values()]


def _begin(command: Sequence[str], share: Cores) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*command, "--cores", str(share)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env={**os.environ, _SUPERVISED: "1"},
        # Ctrl-C goes to the supervisor only, which terminates the workers.
        start_new_session=True,
    )


def _await_end(process: subprocess.Popen[str]) -> None:
    while True:
        try:
            process.wait(_SIGTERM_INTERVAL_SECONDS)
            return
        except subprocess.TimeoutExpired:
            process.terminate()


def _as_line(text: str) -> SearchEvent:
    return SearchEvent(line=text)


def _forward(
    name: str,
    stream: IO[str],
    parse: Callable[[str], SearchEvent],
    inbox: queue.Queue[tuple[str, SearchEvent] | None],
) -> None:
    """Puts an event for each line of ``stream`` into ``inbox``, and None at its end."""
    for line in stream:
        inbox.put((name, parse(line.rstrip("\n"))))
    inbox.put(None)


def _listen(
    inbox: queue.Queue[tuple[str, SearchEvent] | None], display: Display, open_streams: int
) -> None:
    """Shows events until all streams have ended."""
    while open_streams:
        try:
            message = inbox.get(timeout=_REFRESH_SECONDS)
        except queue.Empty:
            display.refresh()
            continue
        if message is None:
            open_streams -= 1
        else:
            name, event = message
            event.show_on(display, name)


def is_supervised() -> bool:
    """Whether a supervisor started this process."""
    return _SUPERVISED in os.environ


def report_to_supervisor() -> EventPipe:
    """Returns a worker process's display; from now on the process ends with its supervisor."""
    threading.Thread(target=_end_with_supervisor, daemon=True).start()
    return EventPipe(sys.stdout)


def _end_with_supervisor() -> None:
    # Standard input is a pipe without data, which is closed when the supervisor ends.
    os.read(sys.stdin.fileno(), 1)
    while True:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_SIGTERM_INTERVAL_SECONDS)
