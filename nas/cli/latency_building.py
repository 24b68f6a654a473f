"""``nas latency collect``, ``fit`` and ``validate``: latency models of users' own devices."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .output import JsonOption, print_json, print_table

if TYPE_CHECKING:
    from latency_models import Worker
    from latency_models.sources.regression.validation import Accuracy

    from ..latency.collect import Collection

DeviceOption = Annotated[
    str, typer.Option("--device", help="The device to measure: a name, a folder, or adb:SERIAL.")
]
FolderOption = Annotated[Path, typer.Option("--out", help="Folder of the model.")]
SpaceOption = Annotated[str, typer.Option("--space", help="A space, or FILE.py.")]
ScaleOption = Annotated[int, typer.Option(min=2, max=4, help="Upscaling factor.")]
SeedOption = Annotated[int, typer.Option(min=0)]


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    for command in (collect, fit, validate):
        app.command()(command)


def collect(
    device: DeviceOption,
    out: FolderOption,
    samples: Annotated[int, typer.Option(min=1, help="Networks in the table when done.")] = 300,
    space: SpaceOption = "mobile",
    scale: ScaleOption = 3,
    seed: SeedOption = 0,
) -> None:
    """Measure networks into a table.

    The same command continues it.
    """
    from latency_models import Worker

    with Worker() as worker:
        collection = _open_collection(device, out, space, scale, seed, worker)
        with _reporting_interruption_of(collection, samples):
            rows = collection.run(samples, print_progress)
    print(f"{collection.table.path}: {len(rows)} networks measured on {device}")


def fit(
    device: DeviceOption,
    out: FolderOption,
    donor: Annotated[
        str | None,
        typer.Option("--from", help="Transfer this device's model; ten measurements suffice."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Fit a latency model to a table of measurements.

    Writes device.toml, and a card with cross-validated errors, beside the table.
    """
    from latency_models.device import load_device

    from ..latency.fit import fit_folder, transfer_folder

    measured = load_device(device)
    if donor is None:
        figures = fit_folder(out, measured, measured.reference, print_progress)
    else:
        figures = transfer_folder(
            out, measured, load_device(donor), measured.reference, print_progress
        )
    if as_json:
        by_structure = figures.structures and vars(figures.structures)
        print_json({**vars(figures.networks), "structures": by_structure})
        return
    _print_figures(figures.columns)
    print(f"a device folder: {out}")


def validate(
    device: DeviceOption,
    model: Annotated[str, typer.Option("--model", help="Folder of the model to validate.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the measurements.")],
    samples: Annotated[int, typer.Option(min=0, help="Fresh architectures.")] = 60,
    study: Annotated[
        str | None, typer.Option(help="Measure the Pareto front of this study, too.")
    ] = None,
    space: SpaceOption = "mobile",
    scale: ScaleOption = 3,
    seed: SeedOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Validate a latency model on networks it has not seen.

    First structures are left out of its table, then new networks are measured. The errors on new
    networks are shown beside those of MACs alone.
    """
    from latency_models import Worker
    from latency_models.device import load_device

    from ..latency.collect import JudgedModel, measure_front
    from ..latency.collect import validate as judge
    from ..latency.fit import STRUCTURES
    from ..studies.study import load_study

    judged = JudgedModel.of(load_device(model), load_device(device), out)
    found = load_study(study) if study else None
    with Worker() as worker:
        collection = replace(
            _open_collection(device, out, space, scale, seed, worker), but=judged.networks
        )
        with _reporting_interruption_of(collection, samples):
            drawn = collection.run(samples, print_progress)
            front = measure_front(collection, found, print_progress) if found else ()
    names = {row.name for row in front}
    fresh = [*(row for row in drawn if row.name not in names), *front]
    result = judge(judged.model, judged.rows, fresh)
    by_structure = judged.of_structures
    columns = {} if by_structure is None else {"structures": by_structure}
    columns |= {"model": result.model, "macs_alone": result.macs}
    if len(front) > 1:
        columns["front"] = judge(judged.model, judged.rows, front).model
    if as_json:
        print_json({name: vars(figures) for name, figures in columns.items()})
        return
    titles = {
        "structures": STRUCTURES,
        "model": "model",
        "macs_alone": "MACs alone",
        "front": "model, front alone",
    }
    _print_figures({titles[name]: figures for name, figures in columns.items()})


def _print_figures(columns: Mapping[str, Accuracy]) -> None:
    from latency_models.sources.regression.validation import FIGURES

    print_table(
        ("figure", *columns, "what is good"),
        [(f.title, *(f.text(column) for column in columns.values()), f.good) for f in FIGURES],
    )


def print_progress(line: str) -> None:
    """Prints a line of progress on standard error."""
    print(line, file=sys.stderr, flush=True)


@contextlib.contextmanager
def reporting_interruption(table: Path, count: Callable[[], int], samples: int) -> Iterator[None]:
    """Context in which Ctrl-C and SIGTERM end the command with a line on how to continue it.

    ``count`` returns the number of measurements that ``table`` holds; ``samples`` are wanted.
    """
    try:
        yield
    except KeyboardInterrupt:
        done = count()
        left = max(0, samples - done)
        print_progress(
            f"interrupted: {table} holds {done} of {samples} measurements; the "
            f"same command goes on, {left} are left"
        )
        raise typer.Exit(130) from None


def _reporting_interruption_of(
    collection: Collection, samples: int
) -> contextlib.AbstractContextManager[None]:
    table = collection.table
    return reporting_interruption(table.path, lambda: len(collection.usable(table.rows())), samples)


def _open_collection(
    device: str, out: Path, space: str, scale: int, seed: int, worker: Worker
) -> Collection:
    from latency_models.device import load_device, open_source
    from search_spaces.spaces.loading import load_space

    from ..latency.collect import Collection
    from ..latency.table import require_own_times

    loaded = load_device(device)
    require_own_times(loaded)  # before a model is fitted to the device
    source = open_source(loaded, worker)
    return Collection(loaded, source, worker, load_space(space), scale, out, seed)
