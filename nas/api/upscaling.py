"""Pictures enlarged by a model: files, or pixels in memory."""

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
    """Is told of the progress of pictures, one after another."""

    def rows(self, job: UpscalingJob, label: str, done: int, rows: int) -> None:
        """``done`` of ``rows`` rows of a picture are done; ``label`` is its number, "3/7"."""

    def written(self, picture: Upscaled) -> None:
        """A picture was written."""

    def left_out(self, job: UpscalingJob, reason: str) -> None:
        """A file of a folder is no image, or its result too large for the format."""


@dataclass(frozen=True)
class UpscalingOutcome:
    """Pictures that were written, and those of a folder that were left out, with the reasons."""

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
    """Enlarges a picture, or a folder of them, by an INT8 TFLite file or one of ``nas.models()``.

    Of ``source``, uint8 RGB (H, W, 3), it returns uint8 (scale H, scale W, 3). Of a file of any
    kind (grey, transparent, 16 bits, turned by EXIF) or a folder it writes ``target``, or PNG files
    into that folder, and returns their paths; with ``side_by_side`` bicubic stands on the left.

    Raises InputError if the file is no integer-only super-resolution model, or the picture is none;
    one of a folder is left out instead.

    Example::

        pixels = nas.upscale("model.tflite", np.zeros((90, 160, 3), np.uint8))
        nas.upscale("model.tflite", "photos", "enlarged").written
    """
    if isinstance(source, np.ndarray):
        if source.dtype != np.uint8 or target is not None or side_by_side:
            raise InputError(
                f"a picture of {source.dtype}: pixels are uint8 RGB, and the enlarged ones are "
                "returned, so that nothing else is said with them"
            )
        with Worker() as worker:
            return open_model(file_of(model), worker).upscale(Picture(source).rgb)
    if target is None:
        raise InputError(f"{source}: say where the enlarged picture goes, as target")
    return upscale_pictures(file_of(model), Path(source), Path(target), side_by_side=side_by_side)


class _Silent:
    """Nobody is told."""

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
    """``upscale`` of files, with an observer."""
    told = observer or _Silent()
    jobs = upscaling_jobs(source, target)
    written: list[Upscaled] = []
    left_out: list[tuple[Path, str]] = []
    with Worker() as worker:
        upscaler = open_model(model, worker)
        for number, job in enumerate(jobs, 1):
            rows = functools.partial(told.rows, job, f"{number}/{len(jobs)}")
            try:
                picture = upscale_file(job, upscaler, rows, beside_bicubic=side_by_side)
            except InputError as error:
                if not source.is_dir():
                    raise
                left_out.append((job.source, str(error)))
                told.left_out(job, str(error))
            else:
                written.append(picture)
                told.written(picture)
    return UpscalingOutcome(tuple(written), tuple(left_out))
