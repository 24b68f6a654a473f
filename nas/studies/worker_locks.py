"""Which workers of this machine are alive: each holds a lock that the system frees at its end."""

from __future__ import annotations

import contextlib
import fcntl
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .folder import StudyFolder


def is_free(lock: Path) -> bool:
    """Has the process ended that made the file ``lock``?"""
    try:
        with lock.open("r") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def worker_lock(folder: StudyFolder) -> Iterator[str]:
    """Gives a worker its name, and a lock that the system frees when this process ends."""
    worker = uuid.uuid4().hex[:12]
    path = folder.lock(worker)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield worker
        finally:
            path.unlink(missing_ok=True)


def worker_label(folder: StudyFolder, worker: str) -> str:
    """How a trial names the worker that runs it."""
    return f"{folder.place}/{worker}"
