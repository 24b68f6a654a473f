"""Enlarges pictures by a model: files, or pixels in memory."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, overload

import numpy as np

from latency_models import Worker
from search_spaces import InputError

from ..data.pictures import Picture
from ..data.pixels import Pixels
from ..evaluation.inference import open_model
from ..evaluation.upscaling import Upscaled, UpscalingJob, upscale_file, upscaling_jobs
from ..shipped.catalog import file_of


class UpscalingObserver(Protocol):
    """Receives the progress of pictures, one after another."""

    def rows(self, job: UpscalingJob, label: str, done: int, rows: int) -> None:
        """Called with the rows done of a picture's ``rows``; ``label`` is its number, "3/7"."""

    def written(self, picture: Upscaled) -> None:
        """Called after a picture was written."""

    def left_out(self, job: UpscalingJob, reason: str) -> None:
        """Called for a file of a folder that is no image, or too large for the output format."""


@dataclass(frozen=True)
class UpscalingOutcome:
    """Pictures that were written, and files of a folder that were left out, with the reasons."""

    written: tuple[Upscaled, ...]
    left_out: tuple[tuple[Path, str], ...] = ()


@overload
def upscale(model: str | Path, source: Pixels) -> Pixels: ...
@overload
def upscale(
    model: str | Path, source: str | Path, target: str | Path, *, side_by_side: bool = False
) -> UpscalingOutcome: ...
def upscale(
    model: str | Path,
    source: str | Path | Pixels,
    target: str | Path | None = None,
    *,
    side_by_side: bool = False,
) -> UpscalingOutcome | Pixels:
    """Enlarges a picture, or a folder of pictures, by an INT8 TFLite file or a shipped model.

    ``model`` is a path, or the name of one of ``nas.models()``. If ``source`` is an array, uint8
    RGB (H, W, 3), the result is an array, uint8 (scale H, scale W, 3). If it is a file of any kind
    (grey, transparent, 16 bits, turned by EXIF), ``target`` is the file to write; if it is a
    folder, ``target`` is a folder for PNG files. The result then lists the written files. With
    ``side_by_side`` each picture shows bicubic enlargement on its left, the model's on its right.

    Raises InputError if the file is no integer-only super-resolution model, or ``source`` is no
    picture; a file in a folder that is no picture is left out instead.

    Example::

        pixels = nas.upscale("model.tflite", np.zeros((90, 160, 3), np.uint8))
        nas.upscale("model.tflite", "photos", "enlarged").written
    """
    if isinstance(source, np.ndarray):
        if source.dtype != np.uint8 or target is not None or side_by_side:
            raise InputError(
                f"a picture of {source.dtype}: pixels are uint8 RGB, and the enlarged ones are "
                "returned, so give neither target nor side_by_side"
            )
        with Worker() as worker:
            return open_model(file_of(model), worker).upscale(Picture(source).rgb)
    if target is None:
        raise InputError(f"{source}: say where the enlarged picture goes, as target")
    return upscale_pictures(file_of(model), Path(source), Path(target), side_by_side=side_by_side)


class _SilentUpscalingObserver:
    """Ignores the progress of pictures."""

    def rows(self, job: UpscalingJob, label: str, done: int, rows: int) -> None:
        pass

    def written(self, picture: Upscaled) -> None:
        pass

    def left_out(self, job: UpscalingJob, reason: str) -> None:
        pass


def upscale_pictures(
    model: Path,
    source: Path,
    target: Path,
    *,
    side_by_side: bool,
    observer: UpscalingObserver | None = None,
) -> UpscalingOutcome:
    """Enlarges files as ``upscale`` does, and reports progress to an observer."""
    listener = observer or _SilentUpscalingObserver()
    jobs = upscaling_jobs(source, target)
    written: list[Upscaled] = []
    left_out: list[tuple[Path, str]] = []
    with Worker() as worker:
        upscaler = open_model(model, worker)
        for number, job in enumerate(jobs, 1):
            rows = functools.partial(listener.rows, job, f"{number}/{len(jobs)}")
            try:
                picture = upscale_file(job, upscaler, rows, beside_bicubic=side_by_side)
            except InputError as error:
                if not source.is_dir():
                    raise
                left_out.append((job.source, str(error)))
                listener.left_out(job, str(error))
            else:
                written.append(picture)
                listener.written(picture)
    return UpscalingOutcome(tuple(written), tuple(left_out))
