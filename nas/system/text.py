r"""Names as text that can be printed and written: a file's name need not be UTF-8.

Python hands bytes that are no UTF-8 on as lone surrogates, which no encoding takes. They become
``\xff`` here, as does any other character that a terminal's encoding does not have.
"""

from __future__ import annotations

import codecs

#: ``errors`` of an encoding, for streams and files.
PRINTABLE = "nas.printable"
_FIRST, _LAST = 0xDC80, 0xDCFF
_BYTE = 0xDC00


def printable(text: str) -> str:
    r"""``text`` with ``\xff`` for what is no text."""
    return text.encode("utf-8", PRINTABLE).decode("utf-8")


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
