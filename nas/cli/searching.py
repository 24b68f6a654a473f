"""Commands about a study: search, worker, status, pareto, export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..choices import Objective, Quantization, SamplerKind
from .output import JsonOption, print_json, print_table

if TYPE_CHECKING:
    from ..studies.results import Finding
    from ..studies.study import Study

StudyName = Annotated[str, typer.Argument(metavar="STUDY", help="Name of a study under ./studies.")]
StorageOption = Annotated[
    str | None,
    typer.Option("--storage", help="Database URL that machines share (PostgreSQL)."),
]


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    for command in (search, worker, status, pareto, export):
        app.command()(command)


def search(
    budget: Annotated[str, typer.Option(help="30m, or 50 trained trials, or 50,2h.")],
    space: Annotated[str | None, typer.Option(help="Space or FILE.py [anchor].")] = None,
    device: Annotated[
        str | None, typer.Option(help="Device or its folder [ethos-u85-1024].")
    ] = None,
    data: Annotated[str | None, typer.Option(help="Folder of photos [embedded].")] = None,
    study: Annotated[str | None, typer.Option(help="Name [SPACE-DEVICE-xSCALE].")] = None,
    objective: Annotated[Objective | None, typer.Option(help="[score]")] = None,
    max_latency: Annotated[
        float | None, typer.Option(min=1e-6, max=1e6, help="Slower candidates are not trained, ms.")
    ] = None,
    input: Annotated[str | None, typer.Option(help="LR size on the device [360x640].")] = None,
    scale: Annotated[int | None, typer.Option(min=2, max=4, help="[3]")] = None,
    quantize: Annotated[Quantization | None, typer.Option(help="[qat]")] = None,
    sampler: Annotated[SamplerKind | None, typer.Option(help="[tpe]")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes; they share the cores.")] = 1,
    storage: StorageOption = None,
    seed: Annotated[int | None, typer.Option(min=0, help="[0]")] = None,
    trial_seconds: Annotated[
        float | None, typer.Option(min=0.1, max=1e6, help="Gradient steps of one ABPN, s [20].")
    ] = None,
    baselines: Annotated[
        bool | None, typer.Option("--baselines/--no-baselines", help="ABPN and XLSR as reference.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Search a space for the best INT8 networks; the same command continues a study."""
    from ..searching.supervision import run_search
    from ..studies.budget import Budget
    from ..studies.settings import Wish

    wish = Wish(
        space, device, data, input, scale, objective, sampler, quantize, max_latency, seed,
        trial_seconds, baselines,
    )  # fmt: skip
    outcome = run_search(study, wish, Budget.parse(budget), workers, storage)
    if as_json:
        print_json([finding.row() for finding in outcome.findings])
    else:
        print(f"{outcome.reason}")
        _print_front(outcome.study, outcome.findings)
    if outcome.interrupted:
        raise typer.Exit(130)


def worker(
    study: Annotated[str, typer.Option(help="Name of the study.")],
    storage: StorageOption = None,
    cores: Annotated[str | None, typer.Option(help="Processor cores, 0,1 [all].")] = None,
) -> None:
    """One more worker for a running study, on any machine."""
    from ..searching.supervision import run_worker

    if run_worker(study, storage, cores):
        raise typer.Exit(130)


def status(study: StudyName, storage: StorageOption = None, as_json: JsonOption = False) -> None:
    """How far a study has come."""
    from ..studies.status import summarise
    from ..studies.study import load_study

    summary = summarise(load_study(study, storage))
    if as_json:
        print_json(summary.to_json())
    else:
        print("\n".join(summary.lines()))


def pareto(study: StudyName, storage: StorageOption = None, as_json: JsonOption = False) -> None:
    """The Pareto front, best score first; brings the study's pareto folder up to date."""
    from ..studies.results import write_pareto
    from ..studies.study import load_study

    opened = load_study(study, storage)
    found = write_pareto(opened)
    if as_json:
        print_json([finding.row() for finding in found])
    else:
        _print_front(opened, found)


def export(
    study: StudyName,
    target: Annotated[Path, typer.Argument(metavar="DIR", help="Where to, made if missing.")],
    trial: Annotated[int | None, typer.Option(help="One trained trial [the front].")] = None,
    storage: StorageOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy the models of the Pareto front, or of one trial, with their cards."""
    from ..studies.results import export as copy
    from ..studies.study import load_study

    files = copy(load_study(study, storage), trial, target)
    if as_json:
        print_json([str(path) for path in files])
    else:
        print("\n".join(map(str, files)))


def _print_front(study: Study, found: tuple[Finding, ...]) -> None:
    if not found:
        print(f"study {study.name}: no trained trial yet")
        return
    print(f"Pareto front of {study.name}, PSNR on {study.settings.data}, {study.settings.device}:")
    print_table(
        ("rank", "trial", "PSNR INT8", "drop", "ms", "score / ABPN", "params", "file"),
        [
            (
                f"{f.rank}", f"{f.trial}", f"{f.result.psnr_db:.2f} dB",
                f"{f.result.drop_db:+.3f}", f"{f.result.latency.ms:.2f}",
                "-" if f.ratio_to_abpn is None else f"{f.ratio_to_abpn:.2f}",
                f"{f.result.parameters:,}", f.file,
            )
            for f in found
        ],
    )  # fmt: skip
    print(f"models and cards: {study.folder.pareto}")
