"""Figures of images and models, made up."""

from __future__ import annotations

from nas.quality.image_quality import MetricValues, ModelQuality


def figures(psnr_db: float, ssim: float = 0.8) -> MetricValues:
    """Of one network."""
    return MetricValues({"psnr_db": psnr_db, "ssim": ssim})


def model_quality(psnr_db: float, drop_db: float = 0.01, ssim: float = 0.8) -> ModelQuality:
    """Of an INT8 file that lost so much."""
    return ModelQuality(figures(psnr_db, ssim), figures(psnr_db + drop_db))
