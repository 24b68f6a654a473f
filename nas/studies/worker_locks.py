"""Locks that show which workers of this machine are alive.

Each worker holds a lock on a file, which the operating system releases when the worker ends.
"""

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
    """Returns whether no process holds the file ``lock``, so its worker has ended."""
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
    """Yields a new worker's name and holds its lock; the lock is released if the process dies."""
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
    """Returns the text by which a trial names its worker: the folder's place and ``worker``."""
    return f"{folder.place}/{worker}"
