"""Output of commands: tables for people, and JSON for programs."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextvars import ContextVar
from typing import Annotated, Any, TextIO

import typer

from ..system.files import json_text
from ..system.text import printable, visible

#: Standard output, while it is reserved for JSON.
_json_output: ContextVar[TextIO | None] = ContextVar("json_output", default=None)


@contextlib.contextmanager
def _reserved_output() -> Iterator[None]:
    """Context in which only ``print_json`` writes to standard output.

    All other prints, such as those in the code of a user's search space, go to standard error.
    """
    token = _json_output.set(sys.stdout)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        _json_output.reset(token)


def _reserve_output(context: typer.Context, as_json: bool) -> bool:
    if as_json:
        context.with_resource(_reserved_output())
    return as_json


JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.", callback=_reserve_output)]


def print_json(value: Any) -> None:
    """Prints one JSON value on standard output, with all strings printable."""
    print(json_text(_with_printable_strings(value), indent=1), file=_json_output.get())


def _with_printable_strings(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {
            _with_printable_strings(key): _with_printable_strings(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_with_printable_strings(item) for item in value]
    return value


def print_notes(lines: Iterable[str]) -> None:
    """Prints lines on standard error, after standard output is flushed."""
    sys.stdout.flush()
    for line in lines:
        print(visible(line), file=sys.stderr, flush=True)


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints a table; columns of numbers are aligned to the right."""
    lines = [tuple(map(visible, line)) for line in (header, *rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(header))]
    right = [all(row[index][:1] in "-+0123456789" for row in rows) for index in range(len(header))]
    for line in lines:
        cells = [
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(line, widths, right, strict=True)
        ]
        print("  ".join(cells).rstrip())
