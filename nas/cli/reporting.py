"""Commands that show a study in a browser: report, dashboard."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .output import JsonOption, print_json
from .searching import StorageOption, StudyName


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    for command in (report, dashboard):
        app.command()(command)


def report(
    study: StudyName,
    out: Annotated[
        Path | None, typer.Option(help="File to write [studies/STUDY/report.html].")
    ] = None,
    storage: StorageOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write one HTML file about a study.

    It shows the front, pictures, plots and all trials.
    """
    from ..api.studies import report as report_on
    from .progress import progress_bar

    with progress_bar() as show:
        written = report_on(
            study, out, storage=storage, observe=lambda done, n: show("pictures", done, n)
        )
    if as_json:
        print_json(
            {
                "file": str(written.path),
                "trials": len(written.content.lines),
                "front": [network.trial for network in written.content.front],
                "no_pictures": written.no_pictures or None,
            }
        )
        return
    if written.no_pictures:
        print(f"without pictures: {written.no_pictures}")
    print(f"report: {written.path}")


def dashboard(
    study: StudyName,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any free one.")
    ] = 8080,
    host: Annotated[
        str, typer.Option(help="Address to listen on; whoever reaches it may change the study.")
    ] = "127.0.0.1",
    storage: StorageOption = None,
) -> None:
    """Serve Optuna's dashboard on a study.

    Models, pictures and cards are attached to its trials. Ctrl-C ends it.
    """
    from ..reporting.dashboard import serve
    from ..studies.study import join_study

    opened = join_study(study, storage)
    try:
        serve(
            opened, host, port, lambda url: print(f"dashboard: {url} (Ctrl-C ends it)", flush=True)
        )
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
