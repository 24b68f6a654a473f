"""A line that shows how a command is written: are its command and its options there?

As in ``nas zoo list | show NAME | bench`` and ``nas upscale MODEL.tflite IN OUT [--side-by-side]``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import typer
from typer.core import TyperCommand, TyperGroup

from nas.cli import app

_FORM = re.compile(r"\b(NAME|DIR|MODEL|IN|OUT|STUDY|FILE|SERIAL|URL)\b| \| |\[--")


def is_synopsis(usage: str) -> bool:
    """Does it name things in capitals, or alternatives?"""
    return _FORM.search(usage) is not None


def require_known(usage: str) -> None:
    """AssertionError if ``usage`` has a command or an option that ``nas`` has not."""
    alternatives = [part.replace("[", "").replace("]", "").split() for part in usage.split(" | ")]
    program, *words = alternatives[0]
    assert program == "nas", usage
    path = _require_known(words)
    for others in alternatives[1:]:
        _require_known([*path[:-1], *others])


def commands() -> Iterator[tuple[tuple[str, ...], frozenset[str]]]:
    """Every command's words, and its options; a group's too."""
    yield from _walk(typer.main.get_command(app), ())


def _require_known(words: list[str]) -> tuple[str, ...]:
    """The words that are the command."""
    known = dict(commands())
    path = max((path for path in known if tuple(words[: len(path)]) == path), key=len)
    following = words[len(path) :]
    is_group = any(other[:-1] == path for other in known if other)
    assert not is_group or following == ["--help"], f"nas {' '.join(words)}: no such command"
    options = {word for word in words if word.startswith("--")}
    assert options <= known[path], f"nas {' '.join(path)}: no {sorted(options - known[path])}"
    return path


def _walk(
    command: object, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], frozenset[str]]]:
    if isinstance(command, TyperGroup):
        yield path, frozenset({"--help"})
        for name, part in command.commands.items():
            yield from _walk(part, (*path, name))
        return
    assert isinstance(command, TyperCommand)
    flags = (flag for parameter in command.params for flag in parameter.opts)
    others = (flag for parameter in command.params for flag in parameter.secondary_opts)
    yield path, frozenset([*flags, *others, "--help"])
