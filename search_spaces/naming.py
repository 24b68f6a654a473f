"""Names: whether a word is that of something built in or a path; long names made shorter."""

from __future__ import annotations

import difflib
from collections.abc import Container, Iterable
from pathlib import Path

#: Begins the word for what a Python program handed over as an object, as a space's function.
_OBJECT = "python:"
#: Letters of a name in a table or a message.
_LONGEST = 60


def shortened(name: str) -> str:
    """For people: a name of hundreds of characters, as converters make them, without its middle."""
    half = _LONGEST // 2
    return name if len(name) <= _LONGEST else f"{name[: half - 1]}...{name[2 - half :]}"


def unknown(kind: str, word: str, known: Iterable[str]) -> str:
    """The beginning of a message: what is unknown, and the known name that was probably meant."""
    names = {name.lower(): name for name in known}
    closest = difflib.get_close_matches(word.strip().lower(), names, n=1, cutoff=0.75)
    meant = f", did you mean {names[closest[0]]!r}?" if closest else ""
    return f"unknown {kind} {word!r}{meant}"


def object_word(name: str) -> str:
    """What stands for an object of a Python program where others have a name or a path."""
    return f"{_OBJECT}{name}"


def is_object_word(word: str) -> bool:
    """Does ``word`` stand for an object that only a Python program has?"""
    return word.startswith(_OBJECT)


def path_of(word: str, built_in: Container[str]) -> Path | None:
    """The path that ``word`` means, or None where it is one of the ``built_in`` names.

    A bare name always means what is built in, whatever lies in the current folder: the folder of
    that name is written ``./name``.
    """
    return None if word in built_in else Path(word)


def from_anywhere(word: str, path: Path | None) -> str:
    """``word`` so that it means the same in any folder; ``path`` is what it means here, if any."""
    return str(path.resolve()) if word and path is not None and path.exists() else word
