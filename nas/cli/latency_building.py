"""``nas latency collect``, ``fit`` and ``validate``: a latency model of one's own device."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .output import JsonOption, print_json, print_table

if TYPE_CHECKING:
    from latency_models import Worker

    from ..latency_building import Collection

DeviceOption = Annotated[
    str, typer.Option("--device", help="What is measured: a device, a folder, or adb:SERIAL.")
]
FolderOption = Annotated[Path, typer.Option("--out", help="Folder of the model.")]
SpaceOption = Annotated[str, typer.Option("--space", help="A space, or FILE.py.")]
ScaleOption = Annotated[int, typer.Option(min=2, max=4)]
SeedOption = Annotated[int, typer.Option(min=0)]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    for command in (collect, fit, validate):
        app.command()(command)


def collect(
    device: DeviceOption,
    out: FolderOption,
    samples: Annotated[int, typer.Option(min=1, help="Rows that the table shall hold.")] = 300,
    space: SpaceOption = "mobile",
    scale: ScaleOption = 3,
    seed: SeedOption = 0,
) -> None:
    """Measures architectures into a table; started again, it goes on."""
    from latency_models import Worker

    with Worker() as worker:
        _collection(device, out, space, scale, seed, worker).run(samples, print)


def fit(
    device: DeviceOption,
    out: FolderOption,
    donor: Annotated[
        str | None,
        typer.Option("--from", help="Start from this device's model: ten measurements do."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Writes device.toml and a card beside the table, with errors by cross-validation."""
    from latency_models.device import device_path, load_device
    from search_spaces.naming import from_anywhere

    from ..latency_folder import fit_folder, transfer_folder

    measured, found_as = load_device(device), from_anywhere(device, device_path(device))
    if donor is None:
        figures = fit_folder(out, measured, found_as)
    else:
        figures = transfer_folder(out, measured, load_device(donor), found_as)
    if as_json:
        print_json(vars(figures))
        return
    print_table(
        ("figure", "value"), [(key, f"{value:.4g}") for key, value in vars(figures).items()]
    )


def validate(
    device: DeviceOption,
    model: Annotated[str, typer.Option("--model", help="The model to be judged: its folder.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of what is measured for it.")],
    samples: Annotated[int, typer.Option(min=0, help="Fresh architectures.")] = 60,
    study: Annotated[
        str | None, typer.Option(help="Measure the Pareto front of this study, too.")
    ] = None,
    space: SpaceOption = "mobile",
    scale: ScaleOption = 3,
    seed: SeedOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Measures fresh architectures and says how far off the model was, beside MACs alone."""
    from latency_models import Worker
    from latency_models.device import load_device
    from latency_models.regression.settings import RegressionSettings
    from latency_models.regression.source import read_table
    from search_spaces import InputError

    from ..latency_building import measure_front
    from ..latency_building import validate as judge
    from ..studies.study import load_study

    judged = load_device(model)
    settings = judged.settings
    if not isinstance(settings, RegressionSettings):
        raise InputError(f"device {model} is no regression; `nas latency fit` makes one")
    rows, fitted = read_table(judged.folder / settings.table), settings.fit(judged.folder)
    found = load_study(study) if study else None
    with Worker() as worker:
        collection = _collection(device, out, space, scale, seed, worker)
        drawn = collection.run(samples, print)
        front = measure_front(collection, found, rows, print) if found else ()
    names = {row.name for row in front}
    result = judge(fitted, rows, [*(row for row in drawn if row.name not in names), *front])
    columns = {"model": vars(result.model), "macs_alone": vars(result.macs)}
    if len(front) > 1:
        columns["front"] = vars(judge(fitted, rows, front).model)
    if as_json:
        print_json(columns)
        return
    titles = {"model": "model", "macs_alone": "MACs alone", "front": "model, front alone"}
    print_table(
        ("figure", *(titles[name] for name in columns)),
        [(key, *(f"{column[key]:.4g}" for column in columns.values())) for key in columns["model"]],
    )


def _collection(
    device: str, out: Path, space: str, scale: int, seed: int, worker: Worker
) -> Collection:
    from latency_models.device import load_device, open_source
    from search_spaces.space import load_space

    from ..latency_building import Collection

    loaded = load_device(device)
    source = open_source(loaded, worker)
    return Collection(loaded, source, worker, load_space(space), scale, out, seed)
