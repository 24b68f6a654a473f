"""Locks against simultaneous work of several processes."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from search_spaces import InputError


@contextlib.contextmanager
def alone(folder: Path, work: str) -> Iterator[None]:
    """Within, no other process does ``work`` ("training") in ``folder``, created if missing.

    InputError if one does. The operating system releases the lock of a process that dies.
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


#: The locked file in the folder.
LOCK = ".lock"
