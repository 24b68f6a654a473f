"""Work that no two processes may do at once."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from search_spaces import InputError


@contextlib.contextmanager
def alone(folder: Path, work: str) -> Iterator[None]:
    """Within, nobody else does ``work`` ("training") in ``folder``, which is made if it is missing.

    InputError if somebody does. The operating system lets go of the lock when its holder dies.
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


#: The file in the folder that is held.
LOCK = ".lock"
