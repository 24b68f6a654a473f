"""Quality of upscaled images: the values of all metrics, image by image and as means."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Self

from search_spaces import InputError

from ..data.images import ImagePair, ImageSet, Skipped
from ..data.pixels import ImageArray, Pixels
from .metrics import METRICS, PSNR, SSIM, Metric
from .similarity import luma_of


@dataclass(frozen=True)
class MetricValues:
    """Values of metrics by key; a metric added later is missing in older results."""

    by_key: Mapping[str, float]

    def __post_init__(self) -> None:
        if PSNR.key not in self.by_key:
            raise InputError(f"no {PSNR.key} among {sorted(self.by_key)}; it is always needed")
        for key, value in self.by_key.items():
            if not (isinstance(value, int | float) and math.isfinite(value)):
                raise InputError(f"{key} is {value!r}; it must be a finite number")

    @classmethod
    def of(cls, result: ImageArray, original: ImageArray, border: int) -> Self:
        """Metrics of two images of equal size."""
        return cls({m.key: m.function(result, original, border) for m in METRICS})

    @classmethod
    def mean(cls, many: Sequence[MetricValues], weights: Sequence[float] | None = None) -> Self:
        """Means, weighted if ``weights`` are given, of the metrics that all values have."""
        shared = [m.key for m in METRICS if all(m.key in one.by_key for one in many)]
        return cls({key: fmean((one.by_key[key] for one in many), weights) for key in shared})

    @classmethod
    def from_json(cls, values: Mapping[str, float], kind: str = "") -> Self:
        """What ``to_json`` wrote among ``values``; KeyError without PSNR."""
        psnr_db = values[PSNR.key_of(kind)]
        found = {m.key: values[m.key_of(kind)] for m in METRICS if m.key_of(kind) in values}
        return cls({**found, PSNR.key: psnr_db})

    def to_json(self, kind: str = "") -> dict[str, float]:
        """Under the keys of ``kind``."""
        return {m.key_of(kind): self.by_key[m.key] for m in METRICS if m.key in self.by_key}

    def get(self, metric: Metric) -> float | None:
        """The value of a metric, None if it is missing."""
        return self.by_key.get(metric.key)

    def texts(self) -> list[str]:
        """For people, in the order of ``METRICS``."""
        return [metric.text(self.get(metric)) for metric in METRICS]

    @property
    def psnr_db(self) -> float:
        return self.by_key[PSNR.key]

    @property
    def ssim(self) -> float:
        return self.by_key[SSIM.key]


@dataclass(frozen=True)
class ImageQuality:
    """One image's figures on RGB, and on luma if they were asked for."""

    name: str
    rgb: MetricValues
    luma: MetricValues | None = None

    @property
    def psnr_db(self) -> float:
        return self.rgb.psnr_db

    @property
    def ssim(self) -> float:
        return self.rgb.ssim


@dataclass(frozen=True)
class Quality:
    """Each image's figures, in the order of the set, their plain means, and what was left out."""

    images: tuple[ImageQuality, ...]
    skipped: tuple[Skipped, ...] = ()

    def __post_init__(self) -> None:
        if not self.images:
            raise InputError("no image to judge by; give at least one")

    @property
    def rgb(self) -> MetricValues:
        """Means on RGB."""
        return MetricValues.mean([image.rgb for image in self.images])

    @property
    def luma(self) -> MetricValues | None:
        """Means on luma, None if it was not asked for."""
        found = [image.luma for image in self.images if image.luma is not None]
        return MetricValues.mean(found) if found else None

    @property
    def psnr_db(self) -> float:
        """Mean PSNR in dB."""
        return self.rgb.psnr_db

    @property
    def ssim(self) -> float:
        """Mean SSIM."""
        return self.rgb.ssim


@dataclass(frozen=True)
class ModelQuality:
    """Means over a set of images: of an INT8 file, and of its network in floating point."""

    int8: MetricValues
    float32: MetricValues

    @classmethod
    def of(cls, int8: Quality, float32: Quality) -> Self:
        """The means of two qualities on the same images."""
        return cls(int8.rgb, float32.rgb)

    @classmethod
    def from_json(cls, values: Mapping[str, float]) -> Self:
        """What ``to_json`` wrote among ``values``; KeyError without both PSNRs."""
        return cls(MetricValues.from_json(values), MetricValues.from_json(values, "float"))

    def to_json(self) -> dict[str, float]:
        """Flat: "psnr_db", "psnr_float_db", ..., "drop_db"."""
        return {**self.int8.to_json(), **self.float32.to_json("float"), "drop_db": self.drop_db}

    @property
    def psnr_db(self) -> float:
        """Of the INT8 file."""
        return self.int8.psnr_db

    @property
    def drop_db(self) -> float:
        """The PSNR that INT8 cost, positive for a loss."""
        return self.float32.psnr_db - self.int8.psnr_db


def evaluate(
    upscale: Callable[[Pixels], Pixels], images: ImageSet, *, luma: bool = False
) -> Quality:
    """The quality of ``upscale``, uint8 (H, W, 3) to (scale H, scale W, 3), on ``images``.

    ``scale`` pixels of border are left out. ``luma`` asks for the figures of papers, too.
    """

    def judged(pair: ImagePair) -> ImageQuality:
        result, hr, border = upscale(pair.lr), pair.hr, images.scale
        on_luma = MetricValues.of(luma_of(result), luma_of(hr), border) if luma else None
        return ImageQuality(pair.name, MetricValues.of(result, hr, border), on_luma)

    return Quality(tuple(map(judged, images.in_turn())), images.skipped)
