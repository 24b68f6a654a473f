"""Compares crops of validation images enlarged by bicubic interpolation and by networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from search_spaces import NasError

from ..data.images import ImagePair, ImageSet, load_data
from ..data.pixels import Pixels
from ..evaluation.inference import TfliteUpscaler
from ..quality.baselines import bicubic
from ..quality.similarity import psnr_db
from ..studies.folder import MODEL
from ..studies.models import bring_model
from .content import ReportContent, ReportedNetwork

if TYPE_CHECKING:
    from latency_models import Worker

    from ..studies.settings import Settings
    from ..studies.study import Study

#: Side of a crop in HR pixels: small enough to embed, large enough to see texture.
CROP_SIDE = 240
#: Largest numbers of images and of networks of the front in a report.
MOST_IMAGES = 4
MOST_MODELS = 3
#: Distance between the windows that are tried, in LR pixels.
_WINDOW_STEP = 8
Upscale = Callable[[Pixels], Pixels]


@dataclass(frozen=True, eq=False)
class Crop:
    """A crop of one version of an image."""

    name: str
    #: uint8 RGB (H, W, 3); the LR crop has ``scale`` times smaller sides than the others
    pixels: Pixels = field(repr=False)
    #: PSNR of this crop; None for the LR and the original image
    psnr_db: float | None


@dataclass(frozen=True, eq=False)
class Comparison:
    """The same crop of all versions of an image: LR, bicubic, the networks, and the original.

    ``width`` and ``height`` are in HR pixels.
    """

    image: str
    width: int
    height: int
    crops: tuple[Crop, ...]


@dataclass(frozen=True)
class Window:
    """Position and size of a crop, in LR pixels."""

    top: int
    left: int
    height: int
    width: int

    def of(self, pixels: Pixels, zoom: int = 1) -> Pixels:
        """Returns the crop of an image whose sides are ``zoom`` times those of the LR image."""
        rows = slice(self.top * zoom, (self.top + self.height) * zoom)
        return pixels[rows, self.left * zoom : (self.left + self.width) * zoom]


def compare(
    content: ReportContent,
    study: Study,
    worker: Worker,
    threads: int,
    observe: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Comparison, ...]:
    """Compares the best networks of the front on some of the study's validation images.

    NasError if the images are missing or changed, or if no model's file is on this machine.
    """
    models = _models(content, study, worker, threads)
    images = validation_images(content.settings)
    chosen = _evenly_spaced(images.pairs, MOST_IMAGES)
    comparisons = []
    for index, pair in enumerate(chosen):
        observe(index, len(chosen))
        comparisons.append(compare_one(pair, images.scale, models))
    return tuple(comparisons)


def compare_one(pair: ImagePair, scale: int, models: Sequence[tuple[str, Upscale]]) -> Comparison:
    """Compares ``models``, (name, function), on the ``largest_error_window`` of ``pair``."""
    smooth = bicubic(scale)(pair.lr)
    window = largest_error_window(pair, smooth, scale)
    hr = window.of(pair.hr, scale)
    crops = [Crop("LR", window.of(pair.lr), None)]
    for name, whole in [("bicubic", smooth), *((name, run(pair.lr)) for name, run in models)]:
        pixels = window.of(whole, scale)
        crops.append(Crop(name, pixels, psnr_db(pixels, hr, 0)))
    crops.append(Crop("HR", hr, None))
    return Comparison(pair.name, hr.shape[1], hr.shape[0], tuple(crops))


def largest_error_window(pair: ImagePair, smooth: Pixels, scale: int) -> Window:
    """Returns the window with the largest squared error of ``smooth``, the bicubic enlargement."""
    height, width = pair.lr.shape[:2]
    side = -(-CROP_SIDE // scale)
    window_height, window_width = min(side, height), min(side, width)
    error = ((smooth.astype(np.int32) - pair.hr) ** 2).sum(axis=2)
    by_lr_pixel = error.reshape(height, scale, width, scale).sum(axis=(1, 3))
    # A summed-area table gives the sums of all windows.
    sums = np.pad(by_lr_pixel.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    tops = range(0, height - window_height + 1, _WINDOW_STEP)
    lefts = range(0, width - window_width + 1, _WINDOW_STEP)
    windows = [Window(t, x, window_height, window_width) for t in tops for x in lefts]
    return max(windows, key=lambda window: _sum_within(sums, window))


def validation_images(settings: Settings) -> ImageSet:
    """Loads the validation images of a study; NasError if they are missing or have changed."""
    data = load_data(settings.data, settings.scale)
    if data.fingerprint != settings.data_fingerprint:
        raise NasError(
            f"the images of {settings.data} have changed since the study was made (fingerprint "
            f"{settings.data_fingerprint}, now {data.fingerprint})"
        )
    return data.validation


def upscaler(
    network: ReportedNetwork, study: Study, worker: Worker, threads: int
) -> Upscale | None:
    """Returns the INT8 model of ``network`` as a function; None if its file is not here."""
    path = bring_model(study, network.record) / MODEL
    if not path.is_file():
        return None
    return TfliteUpscaler(path.read_bytes(), worker, threads).upscale


def _models(
    content: ReportContent, study: Study, worker: Worker, threads: int
) -> list[tuple[str, Upscale]]:
    """Returns name and function of the best networks of the front and of the yardstick."""
    best = list(content.front[:MOST_MODELS])
    wanted = best + [n for n in content.references if n.name == content.yardstick]
    opened = [(n.name, upscaler(n, study, worker, threads)) for n in wanted]
    models = [(name, run) for name, run in opened if run is not None]
    if not models:
        raise NasError(
            f"no model of the front is in {study.folder.path / 'models'}: "
            "nothing was trained yet, or another machine has them"
        )
    return models


def _evenly_spaced(pairs: Sequence[ImagePair], most: int) -> list[ImagePair]:
    """Returns at most ``most`` pairs, evenly spaced."""
    count = min(most, len(pairs))
    return [pairs[index * len(pairs) // count] for index in range(count)]


def _sum_within(sums: np.ndarray, window: Window) -> int:
    """Returns the sum over ``window`` from a summed-area table."""
    bottom, right = window.top + window.height, window.left + window.width
    total = sums[bottom, right] - sums[window.top, right]
    return int(total - sums[bottom, window.left] + sums[window.top, window.left])
