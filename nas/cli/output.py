"""How commands print: tables for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from ..files import json_text

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def print_json(value: Any) -> None:
    """One JSON value on standard output."""
    print(json_text(value, indent=1))


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as their widest cell; numbers to the right."""
    lines = [tuple(header), *map(tuple, rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(header))]
    right = [all(row[index][:1] in "-+0123456789" for row in rows) for index in range(len(header))]
    for line in lines:
        cells = [
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(line, widths, right, strict=True)
        ]
        print("  ".join(cells).rstrip())
