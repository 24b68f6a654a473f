"""Reads and writes the TOML file of a search's options; errors name the line at fault."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path

from search_spaces import InputError

from ..system.files import reading, write_text
from ..system.text import printable
from .options import OptionError, SearchOptions, option_name

_FIELD_OF_KEY = {option_name(field.name): field.name for field in fields(SearchOptions)}


def read_config(path: Path) -> dict[str, object]:
    """Returns the options that ``path`` sets, by the names of ``SearchOptions``' fields.

    Raises InputError with the line of an unknown key, or of a value that has a wrong type or is out
    of range.
    """
    with reading(path):
        try:
            text = path.read_text(encoding="utf-8-sig")
            table = tomllib.loads(text)
        except (ValueError, RecursionError) as error:  # a TOMLDecodeError names the line
            raise InputError(f"no TOML ({error})") from None
    for key in table:
        if key not in _FIELD_OF_KEY:
            raise InputError(
                f"{path}, line {_line_of_key(key, text)}: unknown key {key!r}; {_key_hint(key)}"
            )
    values = {_FIELD_OF_KEY[key]: value for key, value in table.items()}
    try:
        SearchOptions.of(values)
    except OptionError as error:
        line = _line_of_key(option_name(error.field), text)
        raise InputError(f"{path}, line {line}: {error}") from None
    return values


def write_config(path: Path, options: SearchOptions, remark: str = "") -> None:
    """Writes ``options`` as ``read_config`` reads them back; ``remark`` becomes a comment."""
    import tomlkit

    document = tomlkit.document()
    document.add(tomlkit.comment(f"nas search --config {path}"))
    document.add(tomlkit.comment("continues this study, or repeats it where it does not exist"))
    if remark:
        document.add(tomlkit.comment(remark))
    for name, value in options.given:
        document.add(name, _toml_value(value))
    write_text(path, tomlkit.dumps(document))


def _toml_value(value: object) -> object:
    """Converts an option's value to a type that TOML can represent."""
    if isinstance(value, tuple):
        return [_toml_value(item) for item in value]
    return value if isinstance(value, bool | int | float) else printable(str(value))


def _line_of_key(key: str, text: str) -> int:
    """Returns the number (from 1) of the line that completes a top-level key's value.

    It parses ever longer beginnings of the text until the key appears. A text search could find
    another line that merely looks like the key's.
    """
    lines = text.splitlines()
    for count in range(1, len(lines)):
        try:
            if key in tomllib.loads("\n".join(lines[:count])):
                return count
        except tomllib.TOMLDecodeError:
            continue  # this beginning ends inside a value of several lines
    return len(lines)


def _key_hint(key: str) -> str:
    """Returns the known key most similar to an unknown one, or a list of all known keys."""
    similar = get_close_matches(key, _FIELD_OF_KEY, n=1)
    return f"did you mean {similar[0]!r}?" if similar else f"known: {', '.join(_FIELD_OF_KEY)}"
