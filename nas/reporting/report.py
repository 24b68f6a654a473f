"""Writes the report of a study."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from latency_models import Worker
from search_spaces import InputError, NasError

from ..studies.study import Study
from ..system.cores import Cores
from ..system.files import write_text
from .content import ReportContent, collect
from .pictures import Comparison, compare


@dataclass(frozen=True)
class Written:
    """A written report; ``no_pictures`` is the reason if it has no pictures, else empty."""

    path: Path
    content: ReportContent
    no_pictures: str


def write_report(
    study: Study,
    target: Path | None = None,
    observe: Callable[[int, int], None] = lambda done, total: None,
) -> Written:
    """Writes an HTML file to ``target`` (None: ``report.html`` in the study's folder).

    ``observe`` is called with the number of photographs done and their total. If images or models
    are missing, the report has no pictures. Raises InputError if ``target`` is a folder.
    """
    from .page import render

    path = target or study.folder.path / "report.html"
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name a file to write to, {path / 'report.html'}")
    if target is None:
        study.folder.create()  # a study in a shared database may have no folder here yet
    content = collect(study)
    comparisons, no_pictures = _comparisons(content, study, observe)
    write_text(path, render(content, comparisons, no_pictures))
    return Written(path, content, no_pictures)


def _comparisons(
    content: ReportContent, study: Study, observe: Callable[[int, int], None]
) -> tuple[tuple[Comparison, ...], str]:
    try:
        with Worker() as worker:
            threads = Cores.available().count
            return compare(content, study, worker, threads, observe), ""
    except NasError as error:
        return (), str(error)
