"""``nas export``: writes a trained model as a folder for deployment."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .output import JsonOption, print_json

if TYPE_CHECKING:
    from ..exporting.models import ExportedModel


def register(app: typer.Typer) -> None:
    """Adds the command of this module."""
    app.command()(export)


def export(
    what: Annotated[
        str,
        typer.Argument(
            metavar="STUDY|STUDY#TRIAL|FOLDER",
            help="The Pareto front, one trained trial, or a folder of `nas train`.",
        ),
    ],
    to: Annotated[Path, typer.Option(metavar="DIR", help="Target folder, created if missing.")],
    input: Annotated[
        str | None, typer.Option(metavar="HxW,HxW", help="LR sizes [the one that was judged].")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="Present folder of the images that the model was judged on.")
    ] = None,
    storage: Annotated[
        str | None, typer.Option(help="Database URL that machines share (PostgreSQL).")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a folder for app developers: models, card, example.

    It has models of several sizes, weights, a card, an example and commands that time the models.
    Each model is evaluated again.
    """
    from ..api.studies import export as export_folder

    def observe(model: ExportedModel) -> None:
        if not as_json:
            file = Path(model.folder) / model.file
            print(f"{file}: {model.psnr_db:.3f} dB (RGB, border left out)")

    written = export_folder(
        what, to, input=input or None, data=data, storage=storage, observe=observe
    )
    for note in written.notes:
        print(note, file=sys.stderr)
    if as_json:
        print_json([str(path) for path in written.files])
    else:
        print("\n".join(map(str, written.files)))
