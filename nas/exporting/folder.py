"""Writes export folders so that incomplete ones are recognized and later exports replace them.

``SHA256SUMS`` is written last: a folder without it is incomplete. Until then ``UNFINISHED`` lists
the names of the export's files, so that an interrupted export is recognized and can be repeated.
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
from ..system.locks import folder_lock

_SUMS = "SHA256SUMS"
_UNFINISHED = "UNFINISHED"
_CARD = "card.json"
#: Name of a network's folder in the export of a whole Pareto front.
_FRONT_FOLDER = re.compile(r"rank\d+-trial\d+")


def require_free(folder: Path) -> None:
    """Raises InputError unless ``folder`` is new, empty or an earlier export (to be replaced)."""
    require_folder_or_nothing(folder, "name a folder to export to")
    is_used = folder.is_dir() and not all(map(is_left_over, folder.iterdir()))
    if is_used and not _is_export(folder):
        raise InputError(f"{folder}: holds other files, and is no export; name another folder")


def require_writable(folder: Path) -> None:
    """Raises InputError or PermissionError if ``folder`` cannot be written to.

    Called before models are made, so that no work is lost.
    """
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not existing.is_dir():
        raise InputError(f"{folder}: {existing} is a file; name another folder")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(existing))


def write_folder(folder: Path, content: Mapping[str, bytes]) -> list[Path]:
    """Writes ``content``, replacing the files of an earlier export; returns all paths.

    If another process is writing an export to ``folder``, its files are replaced after its end.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with folder_lock(folder):
        _write_locked(folder, content)
    return [folder / name for name in (*content, _SUMS)]


def _write_locked(folder: Path, content: Mapping[str, bytes]) -> None:
    earlier_names = _names_of_earlier_export(folder)
    write_whole(folder / _UNFINISHED, "\n".join(sorted({*earlier_names, *content})).encode())
    for name in (_SUMS, *(earlier_names - set(content))):
        (folder / name).unlink(missing_ok=True)
    # The card first: it identifies the export even if the export is interrupted.
    for name in sorted(content, key=lambda name: name != _CARD):
        write_whole(folder / name, content[name])
    sums = [f"{hashlib.sha256(content[name]).hexdigest()}  {name}\n" for name in sorted(content)]
    write_whole(folder / _SUMS, "".join(sums).encode())
    (folder / _UNFINISHED).unlink()


def remove_stale(target: Path, written: Collection[Path], origin: str) -> None:
    """Removes folders of earlier exports of the same front from ``target``, except ``written``.

    ``origin`` is the beginning of the field "origin" in all cards of that front. Files that no
    export wrote, and exports of other studies, are kept.
    """
    for folder in target.iterdir():
        if folder in written or not _FRONT_FOLDER.fullmatch(folder.name) or not _is_export(folder):
            continue
        card_origin = _origin_in_card(folder)
        if card_origin is None or card_origin.startswith(origin):
            for name in {*_names_of_earlier_export(folder), _SUMS, _UNFINISHED}:
                (folder / name).unlink(missing_ok=True)
            if not any(folder.iterdir()):
                folder.rmdir()


def _is_export(folder: Path) -> bool:
    return (folder / _SUMS).is_file() or (folder / _UNFINISHED).is_file()


def _names_of_earlier_export(folder: Path) -> set[str]:
    """Returns the file names that an earlier export wrote, or intended to write, in ``folder``."""
    names = {line.partition("  ")[2] for line in _lines(folder / _SUMS)}
    names |= set(_lines(folder / _UNFINISHED))
    return {name for name in names if name and Path(name).name == name}


def _lines(path: Path) -> list[str]:
    return path.read_text("utf-8", "replace").splitlines() if path.is_file() else []


def _origin_in_card(folder: Path) -> str | None:
    """Returns the origin stated in the card; None if the export ended before writing the card."""
    try:
        return str(json.loads((folder / _CARD).read_text("utf-8"))["origin"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        return ""  # the card was changed by hand
