"""Options of a search in a TOML file: read with the line at fault, and written to repeat it."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path

from search_spaces import InputError

from ..system.files import reading, write_text
from ..system.text import printable
from .options import OptionError, SearchOptions, option_name

_FIELDS = {option_name(field.name): field.name for field in fields(SearchOptions)}


def read_config(path: Path) -> dict[str, object]:
    """The options that ``path`` sets, by the names of ``SearchOptions``' fields.

    InputError names the line of a key that is unknown, or of a value that is of a wrong type or out
    of range.
    """
    with reading(path):
        try:
            text = path.read_text(encoding="utf-8-sig")
            table = tomllib.loads(text)
        except (ValueError, RecursionError) as error:  # TOML's own names the line
            raise InputError(f"no TOML ({error})") from None
    for key in table:
        if key not in _FIELDS:
            raise InputError(
                f"{path}, line {_line_of(key, text)}: unknown key {key!r}; {_hint(key)}"
            )
    values = {_FIELDS[key]: value for key, value in table.items()}
    try:
        SearchOptions.of(values)
    except OptionError as error:
        line = _line_of(option_name(error.field), text)
        raise InputError(f"{path}, line {line}: {error}") from None
    return values


def write_config(path: Path, options: SearchOptions, remark: str = "") -> None:
    """Writes the file that ``read_config`` reads back as ``options``; ``remark`` is for people."""
    import tomlkit

    document = tomlkit.document()
    document.add(tomlkit.comment(f"nas search --config {path}"))
    document.add(tomlkit.comment("goes on with this study, and makes it again where it is not"))
    if remark:
        document.add(tomlkit.comment(remark))
    for name, value in options.given:
        document.add(name, _plain(value))
    write_text(path, tomlkit.dumps(document))


def _plain(value: object) -> object:
    """As TOML has it."""
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return value if isinstance(value, bool | int | float) else printable(str(value))


def _line_of(key: str, text: str) -> int:
    """The line, counted from 1, with which a key of the topmost table is complete.

    The parser itself finds it: no other line that looks like the key's can be taken for it.
    """
    lines = text.splitlines()
    for count in range(1, len(lines)):
        try:
            if key in tomllib.loads("\n".join(lines[:count])):
                return count
        except tomllib.TOMLDecodeError:
            continue  # within a value of several lines
    return len(lines)


def _hint(key: str) -> str:
    close = get_close_matches(key, _FIELDS, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(_FIELDS)}"
