"""``nas upscale``: enlarges one picture of any kind and size, or a folder of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from search_spaces.errors import InputError

from ..system.text import visible
from .models import ModelArgument
from .output import print_notes
from .progress import Show, progress_bar

if TYPE_CHECKING:
    from ..evaluation.upscaling import Upscaled, UpscalingJob


def register(app: typer.Typer) -> None:
    """Adds the command of this module."""
    app.command()(upscale)


def upscale(
    model: ModelArgument,
    source: Annotated[
        Path, typer.Argument(metavar="IN", help="An image of any kind and size, or a folder.")
    ],
    target: Annotated[
        Path,
        typer.Argument(metavar="OUT", help="PNG, JPEG, WebP, BMP or TIFF; PNGs into a folder."),
    ],
    side_by_side: Annotated[
        bool, typer.Option("--side-by-side", help="Bicubic on the left, the model on the right.")
    ] = False,
) -> None:
    """Enlarge images with an INT8 model.

    Handles grey and transparent images, 16 bits (reduced to 8), and rotation by EXIF.
    """
    from ..api.upscaling import upscale_pictures
    from ..shipped.catalog import file_of

    try:
        with progress_bar() as show:
            outcome = upscale_pictures(
                file_of(model),
                source,
                target,
                side_by_side=side_by_side,
                observer=_PicturePrinter(show),
            )
    except KeyboardInterrupt:
        print("interrupted; what is written is whole", file=sys.stderr)
        raise typer.Exit(130) from None
    left_out, count = outcome.left_out, len(outcome.left_out) + len(outcome.written)
    if left_out:
        raise InputError(
            f"{source}: {len(left_out)} of {count} images left out, for the reasons above"
        )


class _PicturePrinter:
    """Shows the progress of each picture, and prints a line when it is done."""

    def __init__(self, show: Show) -> None:
        self._show = show

    def rows(self, job: UpscalingJob, label: str, done: int, rows: int) -> None:
        self._show(f"{label} {job.source}", done, rows)

    def written(self, picture: Upscaled) -> None:
        from ..data.pictures import frames_remark

        print(visible(f"{picture.target}: {picture.width}x{picture.height}"))
        if remark := frames_remark(picture.frames):
            print_notes([f"{picture.source}: {remark}"])

    def left_out(self, job: UpscalingJob, reason: str) -> None:
        print(visible(f"left out: {reason}"), file=sys.stderr)
