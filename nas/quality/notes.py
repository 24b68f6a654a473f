"""Remarks about a set of images, the same for every command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..data.images import ImageSet, Skipped
from .similarity import MAX_PSNR_DB


def origin(images: ImageSet) -> str:
    """One line: how many images, of which folder, and where LR comes from."""
    count = f"{len(images.pairs)} image{'s' * (len(images.pairs) > 1)}"
    place = images.place if images.layout is None else f"of {images.layout.folder}"
    return f"{count} {place}, {lr_origin(images)}"


def lr_origin(images: ImageSet) -> str:
    """Where LR comes from."""
    layout = images.layout
    if layout is None or layout.low is None:
        return "LR made by antialiased bicubic"
    return f"LR read from {'beside HR' if layout.low == layout.folder else layout.low}"


def cautions(images: ImageSet) -> list[str]:
    """Lines on what is not read, what tells nothing, and what was left out, each with its reason.

    None, if there is nothing to tell.
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
    """Origin and cautions of each set, under its name."""
    return [
        line
        for name, images in sets.items()
        for line in (f"{name}: {origin(images)}", *cautions(images))
    ]


def skipped_as_json(skipped: Sequence[Skipped]) -> list[dict[str, str]]:
    """Plain values, as every command writes them."""
    return [{"name": item.name, "reason": item.reason} for item in skipped]
