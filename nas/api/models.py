"""Measures the quality of TFLite files, and checks them."""

from __future__ import annotations

from pathlib import Path

from latency_models import Worker

from ..checking.check import check_file
from ..checking.finding import Report
from ..data.arrays import DataSource
from ..data.images import EMBEDDED
from ..evaluation.file_quality import judge_file
from ..quality.image_quality import Quality
from ..shipped.catalog import file_of
from .arguments import DeviceSource, device_of


def evaluate(model: str | Path, data: DataSource = EMBEDDED, *, luma: bool = False) -> Quality:
    """Measures PSNR in dB and SSIM of an integer-only TFLite file, per image and mean, on RGB.

    ``model`` is a path, or the name of one of ``nas.models()``.

    Images of any size are processed in tiles of the model's input size, or whole if the model
    accepts any size; a border of ``scale`` pixels is excluded. ``data`` is a folder of HR images,
    "embedded", ``nas.Images`` or HR arrays, uint8 (H, W, 3); LR images come from the folder, or
    are made by antialiased bicubic. PSNR has peak 255 and is at most 100 dB; SSIM is that of Wang
    et al., 2004. With ``luma``, both are also measured on the Y channel (BT.601 in studio range),
    as papers report them. ``skipped`` of the result lists the images that were left out.

    Raises InputError if the file is no integer-only super-resolution model, or there is no usable
    image.

    Example::

        quality = nas.evaluate("model.tflite", "DIV2K")
        print(quality.psnr_db, [image.psnr_db for image in quality.images])
    """
    return judge_file(file_of(model), data, luma=luma).quality


def check(model: str | Path, device: DeviceSource | None = None) -> Report:
    """Checks whether a TFLite file is integer-only, in range and supported by the device.

    ``findings`` of the result, the worst first, each name an operator, its cost in ms and what to
    do; slow operators are among them. ``clean`` is true if all findings are mere notes, ``latency``
    is the model's time on ``device``.

    Raises InputError if the file is no TFLite file, or the device is unknown.

    Example::

        report = nas.check("model.tflite", "ethos-u65-512")
        print(report.clean, [finding.advice for finding in report.findings])
    """
    target = None if device is None else device_of(device)
    with Worker() as worker:
        return check_file(file_of(model), target, worker)
