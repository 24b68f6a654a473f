"""Quality of upscaled images: values of all metrics for each image, and their means."""

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
    """Values of metrics by key; results of older versions lack metrics that were added later."""

    by_key: Mapping[str, float]

    def __post_init__(self) -> None:
        if PSNR.key not in self.by_key:
            raise InputError(f"no {PSNR.key} among {sorted(self.by_key)}; it is always needed")
        for key, value in self.by_key.items():
            if not (isinstance(value, int | float) and math.isfinite(value)):
                raise InputError(f"{key} is {value!r}; it must be a finite number")

    @classmethod
    def of(cls, result: ImageArray, original: ImageArray, border: int) -> Self:
        """Computes all metrics of two images of equal size."""
        return cls({m.key: m.function(result, original, border) for m in METRICS})

    @classmethod
    def mean(cls, many: Sequence[MetricValues], weights: Sequence[float] | None = None) -> Self:
        """Computes the means, or weighted means, of the metrics that all of ``many`` have."""
        common = [m.key for m in METRICS if all(m.key in one.by_key for one in many)]
        return cls({key: fmean((one.by_key[key] for one in many), weights) for key in common})

    @classmethod
    def from_json(cls, values: Mapping[str, float], kind: str = "") -> Self:
        """Reads the values that ``to_json`` wrote; raises KeyError if PSNR is missing."""
        psnr_db = values[PSNR.key_of(kind)]
        found = {m.key: values[m.key_of(kind)] for m in METRICS if m.key_of(kind) in values}
        return cls({**found, PSNR.key: psnr_db})

    def to_json(self, kind: str = "") -> dict[str, float]:
        """Returns the values by ``Metric.key_of(kind)``, as in "psnr_float_db" for "float"."""
        return {m.key_of(kind): self.by_key[m.key] for m in METRICS if m.key in self.by_key}

    def get(self, metric: Metric) -> float | None:
        """Returns the value of a metric, or None if it is missing."""
        return self.by_key.get(metric.key)

    def texts(self) -> list[str]:
        """Returns the values as texts without units, in the order of ``METRICS``."""
        return [metric.text(self.get(metric)) for metric in METRICS]

    @property
    def psnr_db(self) -> float:
        return self.by_key[PSNR.key]

    @property
    def ssim(self) -> float:
        return self.by_key[SSIM.key]


@dataclass(frozen=True)
class ImageQuality:
    """The metrics of one image on RGB, and on luma if they were requested."""

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
    """Metrics of each image in the order of the set, their means, and the skipped images."""

    images: tuple[ImageQuality, ...]
    skipped: tuple[Skipped, ...] = ()

    def __post_init__(self) -> None:
        if not self.images:
            raise InputError("no image to judge by; give at least one")

    @property
    def rgb(self) -> MetricValues:
        """Unweighted means over the images, on RGB."""
        return MetricValues.mean([image.rgb for image in self.images])

    @property
    def luma(self) -> MetricValues | None:
        """Unweighted means over the images, on luma; None if luma was not requested."""
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
    """Means over a set of images for an INT8 file and for its network in floating point."""

    int8: MetricValues
    float32: MetricValues

    @classmethod
    def of(cls, int8: Quality, float32: Quality) -> Self:
        """Takes the means of two qualities on the same images."""
        return cls(int8.rgb, float32.rgb)

    @classmethod
    def from_json(cls, values: Mapping[str, float]) -> Self:
        """Reads the values that ``to_json`` wrote; raises KeyError if a PSNR is missing."""
        return cls(MetricValues.from_json(values), MetricValues.from_json(values, "float"))

    def to_json(self) -> dict[str, float]:
        """Returns a flat mapping: "psnr_db", "psnr_float_db", ..., "drop_db"."""
        return {**self.int8.to_json(), **self.float32.to_json("float"), "drop_db": self.drop_db}

    @property
    def psnr_db(self) -> float:
        """Mean PSNR of the INT8 file in dB."""
        return self.int8.psnr_db

    @property
    def drop_db(self) -> float:
        """Loss of PSNR by INT8 in dB, positive if INT8 is worse."""
        return self.float32.psnr_db - self.int8.psnr_db


def evaluate(
    upscale: Callable[[Pixels], Pixels], images: ImageSet, *, luma: bool = False
) -> Quality:
    """Measures the quality of ``upscale``, uint8 (H, W, 3) to (scale H, scale W, 3), on ``images``.

    The metrics leave out ``scale`` pixels of border. ``luma`` requests the metrics on luma, which
    papers report, in addition to those on RGB.
    """

    def measured(pair: ImagePair) -> ImageQuality:
        result, hr, border = upscale(pair.lr), pair.hr, images.scale
        on_luma = MetricValues.of(luma_of(result), luma_of(hr), border) if luma else None
        return ImageQuality(pair.name, MetricValues.of(result, hr, border), on_luma)

    return Quality(tuple(map(measured, images.in_turn())), images.skipped)
