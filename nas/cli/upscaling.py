"""``nas upscale``: pictures of any kind and size, one or a folder of them."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from search_spaces.errors import InputError

from .models import ModelPath
from .progress import progress_bar

if TYPE_CHECKING:
    from ..data.pixels import Pixels
    from ..evaluation.inference import Upscaler


def register(app: typer.Typer) -> None:
    """Adds the command of this module."""
    app.command()(upscale)


def upscale(
    model: ModelPath,
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
    """Enlarge images with an INT8 model: grey, transparent, 16 bits (to 8), turned by EXIF."""
    from latency_models.worker import Worker

    from ..evaluation.inference import open_model

    jobs = _jobs(source, target)
    failed = 0
    try:
        with Worker() as worker, progress_bar() as show:
            upscaler = open_model(model, worker)
            for number, job in enumerate(jobs, 1):
                label = f"{number}/{len(jobs)} {job.source}"
                observe = functools.partial(show, label)
                try:
                    _enlarge(job, upscaler, observe, beside_bicubic=side_by_side)
                except InputError as error:
                    if not source.is_dir():
                        raise
                    print(f"left out: {error}", file=sys.stderr)
                    failed += 1
    except KeyboardInterrupt:
        print("interrupted; what is written is whole", file=sys.stderr)
        raise typer.Exit(130) from None
    if failed:
        raise InputError(f"{source}: {failed} of {len(jobs)} images left out, for the reasons told")


@dataclass(frozen=True)
class _Job:
    source: Path
    target: Path


def _jobs(source: Path, target: Path) -> tuple[_Job, ...]:
    """One image, or all in a folder and its folders, whose order is kept in the target."""
    from ..data.layout import SUFFIXES
    from ..data.pictures import image_format

    if not source.is_dir():
        image_format(target)
        if not source.exists():
            raise InputError(f"{source}: no such file; name an image or a folder")
        _require_apart([source], [target])
        return (_Job(source, target),)
    if target.exists() and not target.is_dir():
        raise InputError(f"{target}: a file; a folder of images goes into a folder")
    if target.resolve().is_relative_to(source.resolve()):
        raise InputError(f"{target}: lies within {source}; choose a folder beside it")
    files = sorted(path for path in source.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not files:
        raise InputError(f"{source}: no image ({', '.join(sorted(SUFFIXES))}) in it")
    taken: dict[Path, Path] = {}
    for file in files:
        result = target / file.relative_to(source).with_suffix(".png")
        if result in taken:
            raise InputError(f"{taken[result]} and {file}: both would be {result}; rename one")
        taken[result] = file
    _require_apart(files, [*taken])
    return tuple(_Job(file, result) for result, file in taken.items())


def _require_apart(sources: Sequence[Path], targets: Sequence[Path]) -> None:
    """InputError if a result would be written over an image, whatever it is called there."""
    places = {_place(source): source for source in sources if source.exists()}
    for target in targets:
        if target.exists() and _place(target) in places:
            source = places[_place(target)]
            raise InputError(
                f"{target}: is {source} itself, which would be overwritten; choose another OUT"
            )


def _place(path: Path) -> tuple[int, int]:
    """Where a file lies, links followed."""
    found = path.stat()
    return found.st_dev, found.st_ino


def _enlarge(
    job: _Job,
    upscaler: Upscaler,
    observe: Callable[[int, int], None],
    *,
    beside_bicubic: bool,
) -> None:
    from ..data.pictures import (
        enlarged,
        read_picture,
        require_writable,
        side_by_side,
        write_picture,
    )
    from ..quality.baselines import bicubic

    picture, scale = read_picture(job.source), upscaler.scale
    height, width = (side * scale for side in picture.rgb.shape[:2])
    require_writable(job.target, picture, width * (1 + beside_bicubic), height)
    strips = _counted(upscaler.strips(picture.rgb), height, observe)
    result = enlarged(picture, scale, strips)
    if beside_bicubic:
        plain = enlarged(picture, scale, [bicubic(scale)(picture.rgb)])
        result = side_by_side(plain, result)
    write_picture(job.target, result, picture.profile)
    print(f"{job.target}: {result.width}x{result.height}")


def _counted(
    strips: Iterable[Pixels], rows: int, observe: Callable[[int, int], None]
) -> Iterator[Pixels]:
    done = 0
    observe(done, rows)
    for strip in strips:
        yield strip
        done += len(strip)
        observe(done, rows)
