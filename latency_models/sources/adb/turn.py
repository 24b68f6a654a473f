"""Locks a device: the processes of this machine measure on it one at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def device_lock(serial: str) -> Iterator[None]:
    """Waits for other processes and threads of this machine, then locks the device ``serial``.

    The operating system releases the lock of a process that dies.
    """
    name = re.sub(r"[^A-Za-z0-9.-]", "-", serial)
    path = Path(tempfile.gettempdir()) / f"nas-adb-{os.getuid()}-{name}.lock"
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
