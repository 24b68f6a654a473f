"""Descriptions of sets of images and warnings about them, common to all commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..data.images import ImageSet, Skipped
from .similarity import MAX_PSNR_DB


def origin(images: ImageSet) -> str:
    """Describes a set in one line: number of images, folder, and origin of the LR images."""
    count = f"{len(images.pairs)} image{'s' * (len(images.pairs) > 1)}"
    place = images.place if images.layout is None else f"of {images.layout.folder}"
    return f"{count} {place}, {lr_origin(images)}"


def lr_origin(images: ImageSet) -> str:
    """Describes how the LR images were obtained."""
    layout = images.layout
    if layout is None or layout.low is None:
        return "LR made by antialiased bicubic"
    return f"LR read from {'beside HR' if layout.low == layout.folder else layout.low}"


def cautions(images: ImageSet) -> list[str]:
    """Returns warnings: files not read, images of a single color, and skipped images with reasons.

    The list is empty if there is nothing to warn about.
    """
    lines = [*(images.layout.remarks if images.layout else ()), *images.remarks]
    if images.flat:
        lines.append(
            f"flat, of one color, so that they tell nothing ({MAX_PSNR_DB:g} dB if reproduced "
            f"exactly): {', '.join(images.flat)}"
        )
    if images.skipped:
        lines.append(f"{len(images.skipped)} left out:")
        lines += [f"  {item.name}: {item.reason}" for item in images.skipped]
    return lines


def notes(sets: Mapping[str, ImageSet]) -> list[str]:
    """Returns the origin of each set after its name, followed by the set's cautions."""
    return [
        line
        for name, images in sets.items()
        for line in (f"{name}: {origin(images)}", *cautions(images))
    ]


def skipped_as_json(skipped: Sequence[Skipped]) -> list[dict[str, str]]:
    """Converts skipped images to JSON values, as all commands write them."""
    return [{"name": item.name, "reason": item.reason} for item in skipped]
