"""``nas check``: reports what is wrong with a model, and what will be slow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from search_spaces.naming import shortened

from .output import JsonOption, print_json

if TYPE_CHECKING:
    from ..checking.finding import Finding, Report

#: Up to this many equal findings are printed one by one; more are summarized.
_MOST_LISTED = 3


def register(app: typer.Typer) -> None:
    """Adds the command of this module."""
    app.command()(check)


def check(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="Any TFLite file, or a model of `nas models list`."),
    ],
    device: Annotated[
        str | None, typer.Option(help="A device, a device folder, or adb:SERIAL.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check that a model is integer-only, supported and fast.

    Exit code 1 if a problem is found.
    """
    from ..api.models import check as check_model

    report = check_model(model, device)
    if as_json:
        print_json(_to_json(report))
    else:
        _print(report, model)
    if not report.clean:
        raise typer.Exit(1)


def _print(report: Report, model: str) -> None:
    for finding, *others in _grouped(report.findings):
        cost = "" if finding.ms is None else f", {finding.ms:.2f} ms"
        name = shortened(finding.operator)
        print(f"{finding.severity.upper():7}  {finding.kind} {name!r}{cost}")
        print(f"         {finding.what}")
        if others:
            print(f"         and so do {_summary(others)}")
        print(f"         -> {finding.advice}")
    if report.untimed:
        print(f"no time on {report.device}: {report.untimed}")
    if report.latency and report.largest:
        ms, row = report.latency.ms, report.largest
        print(
            f"{ms:.2f} ms on {report.device}; the largest share, {row.ms / ms:.0%}: "
            f"{row.kind} {shortened(row.name)!r}, {row.ms:.2f} ms on {row.engine!r}"
        )
    print(f"{model}: {'clean' if report.clean else 'not clean'}")


def _grouped(findings: Sequence[Finding]) -> Iterator[list[Finding]]:
    """Yields the findings in order; more than ``_MOST_LISTED`` equal ones form one group."""
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for finding in findings:
        key = (finding.severity, finding.problem, finding.advice)
        groups.setdefault(key, []).append(finding)
    for group in groups.values():
        if len(group) > _MOST_LISTED:
            yield group
        else:
            yield from ([finding] for finding in group)


def _summary(findings: Sequence[Finding]) -> str:
    """Returns the number of operators, in total and of each kind, and their time in ms."""
    kinds = Counter(finding.kind for finding in findings)
    counts = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    times_ms = [finding.ms for finding in findings if finding.ms is not None]
    cost = f", {sum(times_ms):.2f} ms" if times_ms else ""
    return f"{len(findings)} more operators ({counts}{cost})"


def _to_json(report: Report) -> dict[str, Any]:
    return {
        "model": report.model,
        "device": report.device,
        "clean": report.clean,
        "findings": [vars(finding) for finding in report.findings],
        "ms": report.latency.ms if report.latency else None,
        "largest": vars(report.largest) if report.largest else None,
        "untimed": report.untimed or None,
    }
