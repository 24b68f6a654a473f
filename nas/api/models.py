"""Quality of TFLite files, and checks of them."""

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
    """PSNR in dB and SSIM of an integer-only TFLite file, per image and mean, on RGB.

    ``model`` is a path, or the name of one of ``nas.models()``.

    Images of any size go through it in tiles of the model's own size, or whole if that is left
    open; ``scale`` pixels of border are left out. ``data`` is a folder of HR images, "embedded",
    ``nas.Images`` or HR arrays, uint8 (H, W, 3); LR images are the folder's own, or made by
    antialiased bicubic. PSNR has peak 255 and is at most 100 dB; SSIM is that of Wang et al., 2004.
    ``luma`` asks for those of the Y channel, too (BT.601 in studio range), as papers report them.
    ``skipped`` of the answer are the images left out.

    Raises InputError if the file is no integer-only super-resolution model, or there is no usable
    image.

    Example::

        quality = nas.evaluate("model.tflite", "DIV2K")
        print(quality.psnr_db, [image.psnr_db for image in quality.images])
    """
    return judge_file(file_of(model), data, luma=luma).quality


def check(model: str | Path, device: DeviceSource | None = None) -> Report:
    """Is a TFLite file integer-only, in range, taken by the device, and what in it is slow?

    ``findings`` of the answer, the worst first, each name an operator, what it costs in ms and what
    to do; ``clean`` tells that there are but notes, ``latency`` is the model's time on ``device``.

    Raises InputError if the file is no TFLite file, or the device is unknown.

    Example::

        report = nas.check("model.tflite", "ethos-u65-512")
        print(report.clean, [finding.advice for finding in report.findings])
    """
    target = None if device is None else device_of(device)
    with Worker() as worker:
        return check_file(file_of(model), target, worker)
