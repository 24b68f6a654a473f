"""Commands for a study: search, worker, status, pareto."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..studies.options import SearchOptions, is_said, option_name
from .options import with_options
from .output import JsonOption, print_json, print_table

if TYPE_CHECKING:
    from ..studies.results import ParetoPoint
    from ..studies.study import Study

StudyName = Annotated[
    str, typer.Argument(metavar="STUDY", help="Name of a study under ./studies, or a folder.")
]
StorageOption = Annotated[
    str | None,
    typer.Option("--storage", help="Database URL that machines share (PostgreSQL)."),
]


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    for command in (search, worker, status, pareto):
        app.command()(command)


@with_options(SearchOptions, option_name, first="budget")
def search(
    config: Annotated[
        Path | None, typer.Option(help="TOML file of these options; the command line wins.")
    ] = None,
    as_json: JsonOption = False,
    **given: object,
) -> None:
    """Search a space for the best INT8 networks.

    The same command continues a study.
    """
    from ..searching.run import run_search

    options = _search_options(config, given)
    outcome = run_search(options, catch_interrupt=True)
    if as_json:
        print_json([finding.row() for finding in outcome.findings])
    else:
        print(f"{outcome.reason}")
        _print_front(outcome.study, outcome.findings)
        _print_next_steps(outcome.study, has_storage=options.storage is not None)
    if outcome.interrupted:
        raise typer.Exit(130)


def _search_options(config: Path | None, given: Mapping[str, object]) -> SearchOptions:
    """Merges the options of the file and of the command line, which takes precedence."""
    from ..studies.config import read_config

    from_file = read_config(config) if config else {}
    from_command_line = {name: value for name, value in given.items() if is_said(value)}
    options = SearchOptions.of(from_file | from_command_line)
    if options.budget is None:
        raise typer.BadParameter(
            "missing; write 30m, 50 (trained trials), or 50,2h", param_hint="--budget"
        )
    return options


def worker(
    study: Annotated[str, typer.Option(help="Name of the study.")],
    storage: StorageOption = None,
    cores: Annotated[str | None, typer.Option(help="Processor cores, 0,1 [all].")] = None,
    since: Annotated[
        int | None, typer.Option(hidden=True, help="First trial of the run [the next one].")
    ] = None,
) -> None:
    """Start another worker for a running study, on any machine."""
    from ..searching.run import run_worker

    if run_worker(study, storage, cores, since):
        raise typer.Exit(130)


def status(study: StudyName, storage: StorageOption = None, as_json: JsonOption = False) -> None:
    """Show the state of a study."""
    from ..studies.status import summarize
    from ..studies.study import load_study

    summary = summarize(load_study(study, storage))
    if as_json:
        print_json(summary.to_json())
    else:
        print("\n".join(summary.lines()))


def pareto(study: StudyName, storage: StorageOption = None, as_json: JsonOption = False) -> None:
    """Show the Pareto front, best score first.

    Updates the study's pareto folder.
    """
    from ..studies.results import findings, write_pareto
    from ..studies.study import load_study

    opened = load_study(study, storage)
    if opened.folder.takes_files:
        front = write_pareto(opened)
    else:
        front = findings(opened)
        print(f"{opened.folder.pareto} stays as it is: nothing can be written", file=sys.stderr)
    if as_json:
        print_json([point.row() for point in front])
    else:
        _print_front(opened, front)


def _print_front(study: Study, front: tuple[ParetoPoint, ...]) -> None:
    from ..quality.metrics import convention
    from ..quality_model.training_table import FULL_STEPS
    from ..studies.results import nothing_found

    if not front:
        print(nothing_found(study))
        return
    devices = ", ".join(dict.fromkeys(point.device for point in front))
    settings = study.settings
    steps = f"PSNR after {settings.steps:,} steps, and expected after {FULL_STEPS:,}"
    images = f"{settings.data} ({convention(settings.scale)})"
    print(f"Pareto front of {study.name}, {steps}, on {images}, {devices}:")
    print_table(
        (
            "rank", "trial", "expected", "PSNR INT8", "drop", "latency", "score / ABPN", "params",
            "file",
        ),
        [
            (
                f"{f.rank}", f"{f.trial}", f.result.expected.text, f"{f.result.psnr_db:.2f} dB",
                f"{f.result.drop_db:+.3f}", f.result.latency.text,
                "-" if f.ratio_to_abpn is None else f"{f.ratio_to_abpn:.2f}",
                f"{f.result.parameters:,}", f.file,
            )
            for f in front
        ],
    )  # fmt: skip
    for point in front:
        if point.beaten_by:
            names = " and ".join(point.beaten_by)
            print(f"rank {point.rank}: beaten in PSNR and time by {names}, trained here too")
    lead = front[0].lead
    if lead is not None and lead.is_predicted:
        print(f"lead of rank 1 over ABPN: {lead.text}")
    print(f"models and cards: {study.folder.pareto}")


def _print_next_steps(study: Study, *, has_storage: bool) -> None:
    """Prints the highlights of a study, and commands to continue with."""
    from ..reporting.content import collect

    content = collect(study)
    if not content.highlights:
        return
    print("worth looking at:")
    for highlight in content.highlights:
        network = highlight.network
        print(
            f"  {highlight.title:30}{network.name}: {network.result.expected.text} expected, "
            f"{network.result.latency.text}, {network.ratio:.2f} x {content.yardstick}"
        )
    name = study.folder.word
    best = f"{name}#{content.highlights[0].network.trial}"
    storage = " --storage URL" if has_storage else ""
    print("next:")
    for command, purpose in (
        (f"nas report {name}", "one HTML file: front, pictures, why a model is slow"),
        (
            f"nas dashboard {name}",
            "Optuna's dashboard with additional plots, models and cards",
        ),
        (f"nas export {best} --to DIR", "a folder for app developers: models, card, example"),
        (f"nas train {best} --data DIR", "full-length training"),
    ):
        print(f"  {command + storage:{len(best + storage) + 22}} {purpose}")
