r"""Printable text for file names, which need not be UTF-8.

Python represents bytes that are not UTF-8 as lone surrogates, which cannot be encoded. They are
escaped here as ``\xff``, as are other characters that an encoding lacks.
"""

from __future__ import annotations

import codecs
import unicodedata

#: Name of the error handler, for the argument ``errors`` of streams and files.
PRINTABLE = "nas.printable"
_FIRST, _LAST = 0xDC80, 0xDCFF
_BYTE = 0xDC00
#: Unicode's categories of control characters, and of what ends a line or a paragraph.
_CONTROLS = frozenset({"Cc", "Zl", "Zp"})


def printable(text: str) -> str:
    r"""``text`` with lone surrogates escaped as ``\xff``."""
    return text.encode("utf-8", PRINTABLE).decode("utf-8")


def visible(text: str) -> str:
    r"""``text`` in one line, with control characters, which a terminal obeys, as ``\x1b``."""
    return "".join(
        character.encode("unicode_escape").decode("ascii")
        if unicodedata.category(character) in _CONTROLS
        else character
        for character in text
    )


def _escaped(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_escape, error.object[error.start : error.end])), error.end


def _escape(character: str) -> str:
    code = ord(character)
    if _FIRST <= code <= _LAST:
        return f"\\x{code - _BYTE:02x}"
    return character.encode("ascii", "backslashreplace").decode("ascii")


codecs.register_error(PRINTABLE, _escaped)
