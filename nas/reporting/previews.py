"""Previews: a crop of an image as LR, bicubic, enlarged by a network, and the original."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

from ..data.images import ImageSet
from ..studies.study import Study
from .content import ReportedNetwork
from .pictures import Comparison, compare_one, upscaler, validation_images

if TYPE_CHECKING:
    from latency_models import Worker

_GAP = 12
_CAPTION = 28
_INK, _PAPER = "#1f252d", "#ffffff"


class Previewer:
    """Makes previews of a study's networks, of a crop of the first validation image."""

    def __init__(self, study: Study, worker: Worker, threads: int) -> None:
        self._study, self._worker, self._threads = study, worker, threads

    @cached_property
    def _images(self) -> ImageSet:
        return validation_images(self._study.settings)

    def preview(self, network: ReportedNetwork) -> Image.Image | None:
        """An RGB image; None if the network's file is on another machine only.

        NasError if the study's images are missing or changed, or the model cannot be run.
        """
        run = upscaler(network, self._study, self._worker, self._threads)
        if run is None:
            return None
        pair = self._images.pairs[0]
        return in_a_row(compare_one(pair, self._images.scale, [(network.name, run)]))


def in_a_row(comparison: Comparison) -> Image.Image:
    """The crops of ``comparison`` side by side, with names and PSNR in dB below."""
    step = comparison.width + _GAP
    size = (len(comparison.crops) * step - _GAP, comparison.height + _CAPTION)
    canvas = Image.new("RGB", size, _PAPER)
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(15)
    for index, crop in enumerate(comparison.crops):
        picture = Image.fromarray(crop.pixels)
        if picture.width != comparison.width:
            enlarged = (comparison.width, comparison.height)
            picture = picture.resize(enlarged, Image.Resampling.NEAREST)
        canvas.paste(picture, (index * step, 0))
        psnr = "" if crop.psnr_db is None else f"  {crop.psnr_db:.2f} dB"
        place = (index * step, comparison.height + 5)
        draw.text(place, crop.name + psnr, fill=_INK, font=font)
    return canvas
