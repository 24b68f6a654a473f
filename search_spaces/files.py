"""Checks of files whose paths users give."""

from __future__ import annotations

from pathlib import Path

from .errors import InputError


def require_no_special_file(path: Path) -> None:
    """Raises InputError if ``path`` is a named pipe, a socket or a device.

    Reading one of these may block forever or never reach an end.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise InputError("is a named pipe, a socket or a device; give a regular file")
