"""Measures the quality of any INT8 super-resolution model in a TFLite file."""

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
    """Quality of a model, and the images on which it was measured."""

    quality: Quality
    images: ImageSet


def judge_file(model: Path, data: DataSource, *, luma: bool) -> FileQuality:
    """Evaluates a model on images of its scale; raises InputError if either cannot be used."""
    with Worker() as worker:
        upscaler = open_enlarger(model, worker)
        images = validation_of(data, upscaler.scale)
        return FileQuality(evaluate(upscaler.upscale, images, luma=luma), images)
