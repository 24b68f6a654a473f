"""Enlarges pictures of any format and size with a model: one file, or a folder of files."""

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

#: Called with the number of rows that are done, and that of all rows.
RowProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class UpscalingJob:
    """A picture to enlarge, and the file for the result."""

    source: Path
    target: Path


@dataclass(frozen=True)
class Upscaled:
    """An enlarged picture: its files, its size in pixels, and the number of frames of its source.

    Only the first frame is enlarged.
    """

    source: Path
    target: Path
    width: int
    height: int
    frames: int = 1


def upscaling_jobs(source: Path, target: Path) -> tuple[UpscalingJob, ...]:
    """Returns the jobs for one image, or for all in a folder and its subfolders.

    The subfolders are recreated in the target. Raises InputError if there is no image, or a result
    would overwrite an image or another result.
    """
    if not source.is_dir():
        if target.is_dir():
            raise InputError(f"{target}: is a folder; name the file, as {target / source.name}")
        image_format(target)
        if not source.exists():
            raise InputError(f"{source}: no such file; name an image or a folder")
        _require_not_overwritten([source], [target])
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
    _require_not_overwritten(files, [*taken])
    return tuple(UpscalingJob(file, result) for result, file in taken.items())


def upscale_file(
    job: UpscalingJob, upscaler: Upscaler, observe: RowProgress, *, beside_bicubic: bool
) -> Upscaled:
    """Reads, enlarges and writes one picture; ``beside_bicubic`` puts a bicubic one to its left.

    Raises InputError if the source is not an image, or the result cannot be written.
    """
    picture, scale = read_picture(job.source), upscaler.scale
    height, width = (side * scale for side in picture.rgb.shape[:2])
    require_writable(job.target, picture, width * (1 + beside_bicubic), height)
    strips = _reporting_progress(upscaler.strips(picture.rgb), height, observe)
    result = enlarged(picture, scale, strips)
    if beside_bicubic:
        reference = enlarged(picture, scale, [bicubic(scale)(picture.rgb)])
        result = side_by_side(reference, result)
    write_picture(job.target, result, picture.profile)
    return Upscaled(job.source, job.target, result.width, result.height, picture.frames)


def _require_not_overwritten(sources: Sequence[Path], targets: Sequence[Path]) -> None:
    """Raises InputError if a target is one of the source files, also by way of a link."""
    sources_by_id = {_file_id(source): source for source in sources if source.exists()}
    for target in targets:
        if target.exists() and _file_id(target) in sources_by_id:
            source = sources_by_id[_file_id(target)]
            raise InputError(
                f"{target}: is {source} itself, which would be overwritten; choose another OUT"
            )


def _file_id(path: Path) -> tuple[int, int]:
    """Returns device and inode number of a file; follows links."""
    status = path.stat()
    return status.st_dev, status.st_ino


def _reporting_progress(
    strips: Iterable[Pixels], rows: int, observe: RowProgress
) -> Iterator[Pixels]:
    done = 0
    observe(done, rows)
    for strip in strips:
        yield strip
        done += len(strip)
        observe(done, rows)
