"""Locks that keep several processes from working in one folder at the same time."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from search_spaces import InputError


@contextlib.contextmanager
def alone(folder: Path, work: str) -> Iterator[None]:
    """Locks ``folder`` for ``work``, such as "training"; creates the folder if it is missing.

    Raises InputError if another process holds the lock. The operating system releases the lock if
    the process that holds it dies.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"{folder}: another process is {work} here; wait for it, or name another folder"
            ) from None
        yield


@contextlib.contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Waits for an exclusive lock on ``folder`` among the processes of this machine, and holds it.

    For short work. Locks the folder itself, so that no file is created in it. The operating system
    releases the lock if the process dies.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems do not support locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


#: Name of the file in the folder that is locked.
LOCK = ".lock"
