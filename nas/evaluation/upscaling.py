"""Pictures of any kind and size enlarged by a model: one, or a folder of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from search_spaces import InputError

from ..data.layout import SUFFIXES
from ..data.pictures import (
    enlarged,
    image_format,
    read_picture,
    require_writable,
    side_by_side,
    write_picture,
)
from ..data.pixels import Pixels
from ..quality.baselines import bicubic
from .inference import Upscaler

#: Told of rows that are done, and of all.
Rows = Callable[[int, int], None]


@dataclass(frozen=True)
class UpscalingJob:
    """A picture to be enlarged, and where it goes."""

    source: Path
    target: Path


@dataclass(frozen=True)
class Upscaled:
    """A picture that was written, its size in pixels, and the frames of its source.

    Only the first frame is enlarged.
    """

    source: Path
    target: Path
    width: int
    height: int
    frames: int = 1


def upscaling_jobs(source: Path, target: Path) -> tuple[UpscalingJob, ...]:
    """One image, or all in a folder and its folders, whose order is kept in the target.

    InputError if there is none, or one would be written over another or over itself.
    """
    if not source.is_dir():
        if target.is_dir():
            raise InputError(f"{target}: is a folder; name the file, as {target / source.name}")
        image_format(target)
        if not source.exists():
            raise InputError(f"{source}: no such file; name an image or a folder")
        _require_apart([source], [target])
        return (UpscalingJob(source, target),)
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
    return tuple(UpscalingJob(file, result) for result, file in taken.items())


def upscale_file(
    job: UpscalingJob, upscaler: Upscaler, observe: Rows, *, beside_bicubic: bool
) -> Upscaled:
    """Reads, enlarges and writes one; InputError if it is no image, or cannot be written so."""
    picture, scale = read_picture(job.source), upscaler.scale
    height, width = (side * scale for side in picture.rgb.shape[:2])
    require_writable(job.target, picture, width * (1 + beside_bicubic), height)
    strips = _counted(upscaler.strips(picture.rgb), height, observe)
    result = enlarged(picture, scale, strips)
    if beside_bicubic:
        plain = enlarged(picture, scale, [bicubic(scale)(picture.rgb)])
        result = side_by_side(plain, result)
    write_picture(job.target, result, picture.profile)
    return Upscaled(job.source, job.target, result.width, result.height, picture.frames)


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


def _counted(strips: Iterable[Pixels], rows: int, observe: Rows) -> Iterator[Pixels]:
    done = 0
    observe(done, rows)
    for strip in strips:
        yield strip
        done += len(strip)
        observe(done, rows)
