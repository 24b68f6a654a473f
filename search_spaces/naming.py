"""Helpers for names: telling built-in names from paths, suggestions, and shortening."""

from __future__ import annotations

import difflib
from collections.abc import Container, Iterable
from pathlib import Path

#: Prefix of the word that stands for a Python object, such as the function of a space.
_OBJECT_PREFIX = "python:"
#: Maximum number of characters of a name in a table or a message.
_MAX_NAME_LENGTH = 60


def shortened(name: str) -> str:
    """Returns ``name`` for display; elides the middle of long names, such as converters make."""
    half = _MAX_NAME_LENGTH // 2
    return name if len(name) <= _MAX_NAME_LENGTH else f"{name[: half - 1]}...{name[2 - half :]}"


def unknown(kind: str, word: str, known: Iterable[str]) -> str:
    """Returns the start of an error message: "unknown ``kind``", and the closest ``known`` name."""
    names = {name.lower(): name for name in known}
    closest = difflib.get_close_matches(word.strip().lower(), names, n=1, cutoff=0.75)
    suggestion = f", did you mean {names[closest[0]]!r}?" if closest else ""
    return f"unknown {kind} {word!r}{suggestion}"


def object_word(name: str) -> str:
    """Returns the word that stands for a Python object where a name or a path is expected."""
    return f"{_OBJECT_PREFIX}{name}"


def is_object_word(word: str) -> bool:
    """Returns whether ``word`` was made by ``object_word``."""
    return word.startswith(_OBJECT_PREFIX)


def path_of(word: str, built_in: Container[str]) -> Path | None:
    """Returns the path that ``word`` denotes, or None if it is one of the ``built_in`` names.

    A built-in name takes precedence over a file or folder of the same name in the current folder;
    write ``./name`` for the latter.
    """
    return None if word in built_in else Path(word)


def from_anywhere(word: str, path: Path | None) -> str:
    """Returns ``path``, which ``word`` denotes, as an absolute path if it exists, else ``word``."""
    return str(path.resolve()) if word and path is not None and path.exists() else word
