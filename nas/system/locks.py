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
def in_turn(folder: Path) -> Iterator[None]:
    """Waits until no other process is in this context for ``folder``, and locks the folder.

    For short work, such as writing files. The folder is created if it is missing. The lock file is
    deleted at the end; it remains if the process is killed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK
    while True:
        with path.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not os.fstat(file.fileno()).st_nlink:
                continue  # another process deleted it while this one waited
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return


#: Name of the file in the folder that is locked.
LOCK = ".lock"
