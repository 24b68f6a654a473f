"""A lock for a device: one measurement at a time by all processes of this machine."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def turn_on(serial: str) -> Iterator[None]:
    """Within, no other process or thread of this machine measures on the device; waits for them.

    The operating system releases the lock of a process that dies.
    """
    name = re.sub(r"[^A-Za-z0-9.-]", "-", serial)
    path = Path(tempfile.gettempdir()) / f"nas-adb-{os.getuid()}-{name}.lock"
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
