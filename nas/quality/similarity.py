"""PSNR and SSIM of two images, on RGB or on luma.

Both leave out ``border`` pixels on every side. The project reports values on RGB; papers report
values on luma, which are 1 to 2 dB higher.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from search_spaces import InputError

from ..data.pixels import ImageArray, Pixels

_PEAK = 255.0
#: PSNR of equal images, whose error is 0, and upper limit of all PSNRs, as in libvpx and libaom
#: (MAX_PSNR). For comparison: one value of a 200x200 image off by one level gives 98.9 dB.
MAX_PSNR_DB = 100.0
#: SSIM's Gaussian window, cut off at 5 pixels from its center: 11x11 as in Wang et al., 2004.
_SIGMA = 1.5
_RADIUS = 5
_WINDOW = 2 * _RADIUS + 1
_WEIGHTS = np.exp(-0.5 * (np.arange(-_RADIUS, _RADIUS + 1) / _SIGMA) ** 2)
#: SSIM's constants for luminance and contrast, with K1 = 0.01 and K2 = 0.03 as in Wang et al.
_LUMINANCE, _CONTRAST = (0.01 * _PEAK) ** 2, (0.03 * _PEAK) ** 2
#: Number of rows of the SSIM map that are computed at a time, and of columns that are windowed at
#: a time, so that the intermediate values fit into the cache of a processor core.
_STRIP = 32
#: (_STRIP, _STRIP + _WINDOW - 1): weights of each window of a line of pixels, one window a row.
_WINDOW_WEIGHTS = np.stack(
    [np.pad(_WEIGHTS / _WEIGHTS.sum(), (i, _STRIP - 1 - i)) for i in range(_STRIP)]
).astype(np.float32)
#: Luma of ITU-R BT.601 in studio range, Y' = 16..235 for RGB of 0..255, as MATLAB's rgb2ycbcr.
_LUMA_WEIGHTS = np.array([65.481, 128.553, 24.966]) / 255
_LUMA_OFFSET = 16.0


def luma_of(rgb: Pixels) -> npt.NDArray[np.float64]:
    """Converts uint8 RGB (H, W, 3) to luma (H, W), 16..235, without rounding.

    Papers on super-resolution measure quality on this channel since Yang et al., "Image
    Super-Resolution via Sparse Representation", 2010: ITU-R BT.601 in studio range, as BasicSR's
    ``to_y_channel``. MATLAB's rgb2ycbcr rounds luma to integers, which lowers 30 dB by 0.01 dB.
    """
    return np.asarray(rgb @ _LUMA_WEIGHTS + _LUMA_OFFSET)


def psnr_db(a: ImageArray, b: ImageArray, border: int) -> float:
    """Returns the PSNR in dB of two images, (H, W, 3) or (H, W), inside of ``border`` pixels.

    The squared error is averaged over all pixels and channels; the peak is 255. The PSNR is at most
    ``MAX_PSNR_DB``, that of equal images, and so always finite. Raises InputError if the sizes
    differ or no pixel is left inside of the border.
    """
    a, b = _without_border(a, b, border, smallest=1)
    error = np.mean(np.square(a.astype(np.float64) - b))
    return min(MAX_PSNR_DB, float(10 * np.log10(_PEAK**2 / error))) if error else MAX_PSNR_DB


def ssim(a: ImageArray, b: ImageArray, border: int) -> float:
    """Returns the SSIM of two images as for ``psnr_db``, averaged over channels.

    Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity", 2004:
    11x11 Gaussian window of sigma 1.5, whole windows only. Raises InputError as ``psnr_db`` does.
    """
    a, b = _without_border(a, b, border, smallest=_WINDOW)
    if a.ndim == 2:
        a, b = a[..., np.newaxis], b[..., np.newaxis]
    rows = len(a) - _WINDOW + 1
    strips = (slice(top, top + _STRIP + _WINDOW - 1) for top in range(0, rows, _STRIP))
    maps = [_ssim_map(a[strip], b[strip]) for strip in strips]
    return float(np.concatenate(maps, axis=1).mean(dtype=np.float64))


def _ssim_map(a: ImageArray, b: ImageArray) -> npt.NDArray[np.float32]:
    """Returns the SSIM of each whole window, (channels, H - 10, W - 10), of (H, W, channels).

    Computes in float32 after subtracting the mean of each channel of ``a``, which preserves small
    differences of squares: the mean SSIM of a photograph changes by less than 1e-7.
    scikit-image's function takes six times as long, half the time of a short training with its
    evaluation.
    """
    x, y = (np.array(np.moveaxis(image, 2, 0), np.float32, order="C") for image in (a, b))
    center = x.mean(axis=(1, 2), keepdims=True)
    x -= center
    y -= center
    mean_a, mean_b, squares, product = map(_windowed, (x, y, x * x + y * y, x * y))
    covariance = product - mean_a * mean_b
    variances = squares - mean_a * mean_a - mean_b * mean_b
    mean_a += center
    mean_b += center
    means, square_of_means = mean_a * mean_b, mean_a * mean_a + mean_b * mean_b
    luminance = (2 * means + _LUMINANCE) / (square_of_means + _LUMINANCE)
    contrast = (2 * covariance + _CONTRAST) / (variances + _CONTRAST)
    return np.asarray(luminance * contrast)


def _windowed(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Returns means over the Gaussian window, (channels, H - 10, W - 10), of (channels, H, W).

    Uses matrix products: adding one weight of all windows at a time takes more than 1.5 times as
    long.
    """
    vertical = _window_weights(values.shape[1]) @ values
    lines = vertical.reshape(-1, vertical.shape[2])
    width = lines.shape[1] - _WINDOW + 1
    result = np.empty((len(lines), width), np.float32)
    for first in range(0, width, _STRIP):
        part = lines[:, first : first + _STRIP + _WINDOW - 1]
        np.matmul(part, _window_weights(part.shape[1]).T, out=result[:, first : first + _STRIP])
    return result.reshape(*vertical.shape[:2], width)


def _window_weights(pixels: int) -> npt.NDArray[np.float32]:
    """Returns the weights, (windows, pixels), of all whole windows of a line of ``pixels`` pixels.

    The line may have at most ``_STRIP + _WINDOW - 1`` pixels.
    """
    return _WINDOW_WEIGHTS[: pixels - _WINDOW + 1, :pixels]


def _without_border(
    a: ImageArray, b: ImageArray, border: int, *, smallest: int
) -> tuple[ImageArray, ImageArray]:
    """Crops the border of both images; raises InputError if less than ``smallest`` is left."""
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
