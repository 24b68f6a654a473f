"""``nas doctor``: tests what this machine can do."""

from __future__ import annotations

import typer

from .output import JsonOption, print_json


def register(app: typer.Typer) -> None:
    """Adds the command of this module."""
    app.command()(doctor)


def doctor(as_json: JsonOption = False) -> None:
    """Test what works on this machine.

    Tests the converter, the interpreter and every device; shows cores, GPU and disk.
    """
    from ..checking.doctor import examine

    findings = examine()
    if as_json:
        print_json([vars(finding) for finding in findings])
    else:
        for finding in findings:
            print(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.name}: {finding.detail}")
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)
