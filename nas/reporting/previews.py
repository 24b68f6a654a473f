"""Previews: the same crop as LR image, bicubic enlargement, output of a network, and original."""

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

_GAP_WIDTH = 12
_CAPTION_HEIGHT = 28
_TEXT_COLOR, _BACKGROUND_COLOR = "#1f252d", "#ffffff"


class Previewer:
    """Makes previews of a study's networks from a crop of the first validation image."""

    def __init__(self, study: Study, worker: Worker, threads: int) -> None:
        self._study, self._worker, self._threads = study, worker, threads

    @cached_property
    def _images(self) -> ImageSet:
        return validation_images(self._study.settings)

    def preview(self, network: ReportedNetwork) -> Image.Image | None:
        """Returns an RGB image; None if the network's file is on another machine only.

        Raises NasError if the study's images are missing or changed, or the model cannot be run.
        """
        run = upscaler(network, self._study, self._worker, self._threads)
        if run is None:
            return None
        pair = self._images.pairs[0]
        return crops_side_by_side(compare_one(pair, self._images.scale, [(network.name, run)]))


def crops_side_by_side(comparison: Comparison) -> Image.Image:
    """Draws the crops of ``comparison`` side by side, with names and PSNR in dB below."""
    step = comparison.width + _GAP_WIDTH
    size = (len(comparison.crops) * step - _GAP_WIDTH, comparison.height + _CAPTION_HEIGHT)
    canvas = Image.new("RGB", size, _BACKGROUND_COLOR)
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(15)
    for index, crop in enumerate(comparison.crops):
        picture = Image.fromarray(crop.pixels)
        if picture.width != comparison.width:
            enlarged = (comparison.width, comparison.height)
            picture = picture.resize(enlarged, Image.Resampling.NEAREST)
        canvas.paste(picture, (index * step, 0))
        psnr = "" if crop.psnr_db is None else f"  {crop.psnr_db:.2f} dB"
        place = (index * step, comparison.height + 5)
        draw.text(place, crop.name + psnr, fill=_TEXT_COLOR, font=font)
    return canvas
