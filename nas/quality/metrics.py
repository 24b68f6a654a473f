"""The metrics by which images are judged: one row of a table each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..data.pixels import ImageArray
from .similarity import psnr_db, ssim


@dataclass(frozen=True)
class Metric:
    """A metric of two images of equal size, (H, W, 3) or (H, W), and its format.

    ``function`` takes the result, the original, and the pixels of border to leave out.
    """

    name: str
    #: empty if it has none
    unit: str
    #: decimals that are shown
    digits: int
    is_higher_better: bool
    function: Callable[[ImageArray, ImageArray, int], float]

    @property
    def key(self) -> str:
        """Its name in JSON and CSV: "psnr_db"."""
        return self.key_of("")

    def key_of(self, kind: str) -> str:
        """The same of one kind of network: "psnr_float_db"."""
        return "_".join(filter(None, (self.name.lower(), kind, self.unit.lower())))

    @property
    def heading(self) -> str:
        """Of a column of ``text``: "PSNR, dB"."""
        return ", ".join(filter(None, (self.name, self.unit)))

    def text(self, value: float | None) -> str:
        """The value without its unit; "-" if the metric is missing."""
        return "-" if value is None else f"{value:.{self.digits}f}"

    def text_with_unit(self, value: float | None) -> str:
        """The same and its unit: "30.61 dB"."""
        return f"{self.text(value)} {self.unit}".strip()


def convention(scale: int) -> str:
    """The convention of PSNR and SSIM, shown wherever figures are."""
    return f"RGB, {scale} pixels of border left out"


PSNR = Metric("PSNR", "dB", 3, True, psnr_db)
SSIM = Metric("SSIM", "", 4, True, ssim)
#: PSNR is what the search goes by; all are told of every model.
METRICS = (PSNR, SSIM)
