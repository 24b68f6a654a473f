"""How close upscaled images are to the originals: PSNR and SSIM, on RGB or on luma.

Both leave out ``scale`` pixels of border. Figures are on RGB throughout; papers report the luma
channel, which has 1 to 2 dB more: ``evaluate`` gives it beside them if it is asked to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import numpy.typing as npt

from search_spaces import InputError

from ..data.images import ImagePair, ImageSet, Skipped
from ..data.pixels import Pixels

_PEAK = 255.0
#: That of equal images, whose error is 0, and the most that any have. A single value of a
#: 200x200 image off by one level gives 98.9 dB. libvpx and libaom count alike (MAX_PSNR).
MAX_PSNR_DB = 100.0
#: SSIM's Gaussian window, cut off at 5 pixels: 11x11 as in Wang et al., 2004.
_SIGMA = 1.5
_WINDOW = 11
#: ITU-R BT.601 in studio range, Y' = 16..235 of 0..255: MATLAB's rgb2ycbcr.
_LUMA = np.array([65.481, 128.553, 24.966]) / 255
_BLACK = 16.0

Levels = npt.NDArray[np.uint8] | npt.NDArray[np.float64]


@dataclass(frozen=True)
class Luma:
    """PSNR in dB and SSIM of the luma channel."""

    psnr_db: float
    ssim: float


@dataclass(frozen=True)
class ImageQuality:
    """One image's PSNR in dB and SSIM on RGB, and on luma if that was asked for."""

    name: str
    psnr_db: float
    ssim: float
    luma: Luma | None = None


@dataclass(frozen=True)
class Quality:
    """Each image's figures, in the order of the set, their plain means, and what was left out."""

    images: tuple[ImageQuality, ...]
    skipped: tuple[Skipped, ...] = ()

    def __post_init__(self) -> None:
        if not self.images:
            raise InputError("no image to judge by; give at least one")

    @property
    def psnr_db(self) -> float:
        """Mean PSNR in dB."""
        return fmean(image.psnr_db for image in self.images)

    @property
    def ssim(self) -> float:
        """Mean SSIM."""
        return fmean(image.ssim for image in self.images)

    @property
    def luma(self) -> Luma | None:
        """Means on luma, None if it was not asked for."""
        found = [image.luma for image in self.images if image.luma is not None]
        if not found:
            return None
        return Luma(fmean(one.psnr_db for one in found), fmean(one.ssim for one in found))


def convention(scale: int) -> str:
    """What figures of PSNR and SSIM are of, to be told wherever they are shown."""
    return f"RGB, {scale} pixels of border left out"


def evaluate(
    upscale: Callable[[Pixels], Pixels], images: ImageSet, *, luma: bool = False
) -> Quality:
    """The quality of ``upscale``, uint8 (H, W, 3) to (scale H, scale W, 3), on ``images``.

    ``scale`` pixels of border are left out. ``luma`` asks for the figures of papers, too.
    """

    def judged(pair: ImagePair) -> ImageQuality:
        result, hr, border = upscale(pair.lr), pair.hr, images.scale
        return ImageQuality(
            pair.name,
            psnr_db(result, hr, border),
            ssim(result, hr, border),
            _luma_quality(luma_of(result), luma_of(hr), border) if luma else None,
        )

    return Quality(tuple(map(judged, images.in_turn())), images.skipped)


def luma_of(rgb: Pixels) -> npt.NDArray[np.float64]:
    """uint8 RGB (H, W, 3) to luma (H, W), 16..235, not rounded.

    The channel of papers on super-resolution since Yang et al., "Image Super-Resolution via Sparse
    Representation", 2010; ITU-R BT.601 in studio range, as BasicSR's ``to_y_channel``. MATLAB's
    rgb2ycbcr rounds it to whole levels, which takes 0.01 dB from 30 dB.
    """
    return np.asarray(rgb @ _LUMA + _BLACK)


def _luma_quality(a: Levels, b: Levels, border: int) -> Luma:
    return Luma(psnr_db(a, b, border), ssim(a, b, border))


def psnr_db(a: Levels, b: Levels, border: int) -> float:
    """PSNR in dB of two images, (H, W, 3) or (H, W), without ``border`` pixels on every side.

    The squared error is averaged over all pixels and channels; the peak is 255. Always finite: at
    most ``MAX_PSNR_DB``, which is that of equal images. Raises InputError if sizes differ or
    nothing is left inside the border.
    """
    a, b = _inside(a, b, border, smallest=1)
    error = np.mean(np.square(a.astype(np.float64) - b))
    return min(MAX_PSNR_DB, float(10 * np.log10(_PEAK**2 / error))) if error else MAX_PSNR_DB


def ssim(a: Levels, b: Levels, border: int) -> float:
    """SSIM of two images, as of ``psnr_db``; of three channels the mean.

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
            channel_axis=-1 if a.ndim == 3 else None,
        )
    )


def _inside(a: Levels, b: Levels, border: int, *, smallest: int) -> tuple[Levels, Levels]:
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
