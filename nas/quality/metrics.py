"""The metrics of image quality, each with its function, unit and format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..data.pixels import ImageArray
from .similarity import psnr_db, ssim


@dataclass(frozen=True)
class Metric:
    """A metric of two images of equal size, (H, W, 3) or (H, W), and its format.

    ``function`` takes the result, the original, and the width of the border to leave out.
    """

    name: str
    #: Empty if the metric has no unit.
    unit: str
    #: Number of decimals in texts.
    digits: int
    is_higher_better: bool
    function: Callable[[ImageArray, ImageArray, int], float]

    @property
    def key(self) -> str:
        """Name of the metric in JSON and CSV, such as "psnr_db"."""
        return self.key_of("")

    def key_of(self, kind: str) -> str:
        """Returns the key for one kind of network, such as "psnr_float_db" for "float"."""
        return "_".join(filter(None, (self.name.lower(), kind, self.unit.lower())))

    @property
    def heading(self) -> str:
        """Heading of a table column with values, such as "PSNR, dB"."""
        return ", ".join(filter(None, (self.name, self.unit)))

    def text(self, value: float | None) -> str:
        """Formats a value without its unit; returns "-" for None."""
        return "-" if value is None else f"{value:.{self.digits}f}"

    def text_with_unit(self, value: float | None) -> str:
        """Formats a value with its unit, such as "30.61 dB"."""
        return f"{self.text(value)} {self.unit}".strip()


def convention(scale: int) -> str:
    """Describes how PSNR and SSIM are measured, for display with their values."""
    return f"RGB, {scale} pixels of border left out"


PSNR = Metric("PSNR", "dB", 3, True, psnr_db)
SSIM = Metric("SSIM", "", 4, True, ssim)
#: All metrics that are reported for a model; the search optimizes PSNR.
METRICS = (PSNR, SSIM)
