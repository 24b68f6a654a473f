"""Worker processes beside one another: begun, listened to, and ended with their supervisor."""

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
#: After so long without a word, the study may have news from other machines.
_PATIENCE_SECONDS = 10.0
#: A worker that goes on for so long is told again to end. Python drops what a signal raises where
#: it meets a destructor or a callback, as imports have them, too.
_SETTLING_SECONDS = 30.0


def run_worker_processes(
    command: Sequence[str], shares: Sequence[Cores], display: Display
) -> list[int]:
    """Runs ``command`` once for each share of the cores, to their ends; returns the exit codes.

    What they tell goes to ``display``. KeyboardInterrupt ends them, once they have settled.
    """
    names = [f"worker {share}" if len(shares) > 1 else "" for share in shares]
    processes = {name: _begin(command, share) for name, share in zip(names, shares, strict=True)}
    inbox: queue.Queue[tuple[str, SearchEvent] | None] = queue.Queue()
    for name, process in processes.items():
        display.stage(name, "starting")
        assert process.stdout is not None
        assert process.stderr is not None
        for stream, reads in ((process.stdout, SearchEvent.from_json), (process.stderr, _as_line)):
            threading.Thread(
                target=_forward, args=(name, stream, reads, inbox), daemon=True
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
        # Ctrl-C is for the supervisor, who passes it on: they would hear it twice.
        start_new_session=True,
    )


def _await_end(process: subprocess.Popen[str]) -> None:
    while True:
        try:
            process.wait(_SETTLING_SECONDS)
            return
        except subprocess.TimeoutExpired:
            process.terminate()


def _as_line(text: str) -> SearchEvent:
    return SearchEvent(line=text)


def _forward(
    name: str,
    stream: IO[str],
    reads: Callable[[str], SearchEvent],
    inbox: queue.Queue[tuple[str, SearchEvent] | None],
) -> None:
    for line in stream:
        inbox.put((name, reads(line.rstrip("\n"))))
    inbox.put(None)


def _listen(
    inbox: queue.Queue[tuple[str, SearchEvent] | None], display: Display, open_streams: int
) -> None:
    while open_streams:
        try:
            message = inbox.get(timeout=_PATIENCE_SECONDS)
        except queue.Empty:
            display.refresh()
            continue
        if message is None:
            open_streams -= 1
        else:
            name, event = message
            event.show_on(display, name)


def is_supervised() -> bool:
    """Was this process begun by a supervisor?"""
    return _SUPERVISED in os.environ


def report_to_supervisor() -> EventPipe:
    """A worker process's display; it ends with its supervisor, however that ends."""
    threading.Thread(target=_follow_supervisor, daemon=True).start()
    return EventPipe(sys.stdout)


def _follow_supervisor() -> None:
    # Standard input is a pipe that nobody writes to: it ends when the supervisor does.
    os.read(sys.stdin.fileno(), 1)
    while True:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_SETTLING_SECONDS)
