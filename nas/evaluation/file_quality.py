"""Quality of any INT8 TFLite file of super-resolution."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from latency_models import Worker

from ..data.arrays import DataSource, validation_of
from ..data.images import ImageSet
from ..quality.image_quality import Quality, evaluate
from .inference import open_enlarger


@dataclass(frozen=True)
class FileQuality:
    """A model's quality, and the images that it was judged on."""

    quality: Quality
    images: ImageSet


def judge_file(model: Path, data: DataSource, *, luma: bool) -> FileQuality:
    """Judges a model on images of its scale; InputError if either cannot be used."""
    with Worker() as worker:
        upscaler = open_enlarger(model, worker)
        images = validation_of(data, upscaler.scale)
        return FileQuality(evaluate(upscaler.upscale, images, luma=luma), images)
