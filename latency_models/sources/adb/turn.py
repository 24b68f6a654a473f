"""One measurement at a time on a device, whoever on this machine asks for it."""

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
    """Waits for other processes and threads to have done with the device.

    The operating system lets go of the lock when its holder dies.
    """
    name = re.sub(r"[^A-Za-z0-9.-]", "-", serial)
    path = Path(tempfile.gettempdir()) / f"nas-adb-{os.getuid()}-{name}.lock"
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
