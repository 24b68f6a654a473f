r"""Makes texts printable that contain file names, whose bytes need not be UTF-8.

Python represents bytes that are not UTF-8 as lone surrogates, which cannot be encoded. Here, they
are escaped as ``\xff``; other characters that an encoding lacks are escaped as well.
"""

from __future__ import annotations

import codecs
import unicodedata

#: Name of the error handler, for the argument ``errors`` of streams and files.
PRINTABLE = "nas.printable"
#: Lone surrogates that represent the bytes 0x80 to 0xFF.
_FIRST_BYTE, _LAST_BYTE = 0xDC80, 0xDCFF
_ZERO_BYTE = 0xDC00
#: Unicode's categories of control characters and of line and paragraph separators.
_ESCAPED_CATEGORIES = frozenset({"Cc", "Zl", "Zp"})


def printable(text: str) -> str:
    r"""Escapes the lone surrogates of ``text`` as ``\xff``."""
    return text.encode("utf-8", PRINTABLE).decode("utf-8")


def visible(text: str) -> str:
    r"""Escapes control characters and line ends, as ``\x1b``, so that terminals ignore them."""
    return "".join(
        character.encode("unicode_escape").decode("ascii")
        if unicodedata.category(character) in _ESCAPED_CATEGORIES
        else character
        for character in text
    )


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """Handles encoding errors as ``codecs.register_error`` demands."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_escape, error.object[error.start : error.end])), error.end


def _escape(character: str) -> str:
    code = ord(character)
    if _FIRST_BYTE <= code <= _LAST_BYTE:
        return f"\\x{code - _ZERO_BYTE:02x}"
    return character.encode("ascii", "backslashreplace").decode("ascii")


codecs.register_error(PRINTABLE, _escaped)
