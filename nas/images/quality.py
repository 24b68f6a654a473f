"""How close upscaled images are to the originals: PSNR and SSIM on RGB."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from search_spaces import InputError

from .data import ImageSet, Pixels

_PEAK = 255.0
#: SSIM's Gaussian window, cut off at 5 pixels: 11x11 as in Wang et al., 2004.
_SIGMA = 1.5
_WINDOW = 11


@dataclass(frozen=True)
class ImageQuality:
    """One image's PSNR in dB and SSIM."""

    name: str
    psnr_db: float
    ssim: float


@dataclass(frozen=True)
class Quality:
    """Each image's figures, in the order of the set, and their plain means."""

    images: tuple[ImageQuality, ...]

    def __post_init__(self) -> None:
        if not self.images:
            raise InputError("no image to judge by; give at least one")

    @property
    def psnr_db(self) -> float:
        """Mean PSNR in dB; infinite if an image is reproduced exactly."""
        return fmean(image.psnr_db for image in self.images)

    @property
    def ssim(self) -> float:
        """Mean SSIM."""
        return fmean(image.ssim for image in self.images)


def evaluate(upscale: Callable[[Pixels], Pixels], images: ImageSet) -> Quality:
    """The quality of ``upscale``, uint8 (H, W, 3) to (scale H, scale W, 3), on ``images``.

    ``scale`` pixels of border are left out.
    """
    return Quality(
        tuple(
            ImageQuality(
                pair.name,
                psnr_db(result, pair.hr, images.scale),
                ssim(result, pair.hr, images.scale),
            )
            for pair in images.pairs
            for result in (upscale(pair.lr),)
        )
    )


def psnr_db(a: Pixels, b: Pixels, border: int) -> float:
    """PSNR in dB of two uint8 (H, W, 3) images without ``border`` pixels on every side.

    The squared error is averaged over all pixels and channels; the peak is 255. Equal images have
    no error: their PSNR is ``math.inf``, which ``nas.score`` refuses. Raises InputError if sizes
    differ or nothing is left inside the border.
    """
    a, b = _inside(a, b, border, smallest=1)
    error = np.mean(np.square(a.astype(np.float64) - b))
    return float(10 * np.log10(_PEAK**2 / error)) if error else math.inf


def ssim(a: Pixels, b: Pixels, border: int) -> float:
    """SSIM of two uint8 (H, W, 3) images without ``border`` pixels, the mean of the channels'.

    Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity", 2004:
    11x11 Gaussian window of sigma 1.5, whole windows only. Raises as ``psnr_db``.
    """
    # Kept out of this module's import: half a second that most commands do not need.
    from skimage.metrics import structural_similarity

    a, b = _inside(a, b, border, smallest=_WINDOW)
    return float(
        structural_similarity(  # type: ignore[no-untyped-call]
            a,
            b,
            win_size=_WINDOW,
            gaussian_weights=True,
            sigma=_SIGMA,
            use_sample_covariance=False,
            data_range=_PEAK,
            channel_axis=-1,
        )
    )


def _inside(a: Pixels, b: Pixels, border: int, *, smallest: int) -> tuple[Pixels, Pixels]:
    if a.shape != b.shape:
        raise InputError(f"images of {a.shape} and {b.shape} cannot be compared; sizes must agree")
    height, width = (side - 2 * border for side in a.shape[:2])
    if min(height, width) < smallest:
        raise InputError(
            f"an image of {a.shape[0]}x{a.shape[1]} without {border} pixels of border leaves "
            f"{height}x{width}; at least {smallest}x{smallest} are needed"
        )
    window = slice(border, border + height), slice(border, border + width)
    return a[window], b[window]
