"""An export's folder on disk: whole or told from one that is not, repeatable, replaced by the next.

``SHA256SUMS`` comes last: a folder without it is not whole. Until then its names stand in a file of
their own, so that an export that was cut off is known for one, and repeated.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path

from search_spaces import InputError

from ..system.files import is_left_over, require_folder_or_nothing, write_whole

_SUMS = "SHA256SUMS"
_UNFINISHED = "UNFINISHED"
_CARD = "card.json"
#: What the export of a whole front makes for each network.
_OF_A_FRONT = re.compile(r"rank\d+-trial\d+")


def require_free(folder: Path) -> None:
    """InputError unless ``folder`` is new, empty or an earlier export, which will be replaced."""
    require_folder_or_nothing(folder, "name a folder to export to")
    is_used = folder.is_dir() and not all(map(is_left_over, folder.iterdir()))
    if is_used and not _is_export(folder):
        raise InputError(f"{folder}: holds other files, and is no export; name another folder")


def require_writable(folder: Path) -> None:
    """InputError or OSError, before models are made, if nothing can be written there."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise InputError(f"{folder}: {there} is a file; name another folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(there))


def write_folder(folder: Path, content: Mapping[str, bytes]) -> list[Path]:
    """Writes ``content``, in place of what an earlier export left; gives the files."""
    before = _exported_before(folder)
    write_whole(folder / _UNFINISHED, "\n".join(sorted({*before, *content})).encode())
    for name in (_SUMS, *(before - set(content))):
        (folder / name).unlink(missing_ok=True)
    # The card first: it says whose export this is, whatever comes of it.
    for name in sorted(content, key=lambda name: name != _CARD):
        write_whole(folder / name, content[name])
    sums = [f"{hashlib.sha256(content[name]).hexdigest()}  {name}\n" for name in sorted(content)]
    write_whole(folder / _SUMS, "".join(sums).encode())
    (folder / _UNFINISHED).unlink()
    return [folder / name for name in (*content, _SUMS)]


def remove_stale(target: Path, written: Collection[Path], origin: str) -> None:
    """Removes from ``target`` what earlier exports of the same front left beside ``written``.

    ``origin`` is how cards of that front begin to tell where they come from. Files that no export
    wrote stay, and so do exports of others.
    """
    for folder in target.iterdir():
        if folder in written or not _OF_A_FRONT.fullmatch(folder.name) or not _is_export(folder):
            continue
        said = _origin_of(folder)
        if said is None or said.startswith(origin):
            for name in {*_exported_before(folder), _SUMS, _UNFINISHED}:
                (folder / name).unlink(missing_ok=True)
            if not any(folder.iterdir()):
                folder.rmdir()


def _is_export(folder: Path) -> bool:
    return (folder / _SUMS).is_file() or (folder / _UNFINISHED).is_file()


def _exported_before(folder: Path) -> set[str]:
    """Names that an earlier export wrote, or was to write, into this very folder."""
    names = {line.partition("  ")[2] for line in _lines(folder / _SUMS)}
    names |= set(_lines(folder / _UNFINISHED))
    return {name for name in names if name and Path(name).name == name}


def _lines(path: Path) -> list[str]:
    return path.read_text("utf-8", "replace").splitlines() if path.is_file() else []


def _origin_of(folder: Path) -> str | None:
    """Origin by its card; None if it was interrupted before the card was written."""
    try:
        return str(json.loads((folder / _CARD).read_text("utf-8"))["origin"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        return ""  # somebody has changed it
