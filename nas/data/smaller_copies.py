"""Adds smaller copies of training images, to augment sets of few images.

A photograph at half its size shows finer detail per pixel, like one taken from farther away. The
gain is measured in studies/training_at_length.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import islice
from typing import IO

import numpy as np
import PIL

from .cache import CachedFolder
from .images import HOLD_OUT, MIN_LR_SIDE, ImagePair, ImageSet, SharedImages, degrade
from .interpolation import resized
from .shared_memory import Index, PixelWriter
from .storage import store

#: Number of pairs whose LR images are tested for having been made by bicubic interpolation.
_TESTED_PAIRS = 5
#: Largest mean difference, in grey levels, between the bicubic interpolations of two programs.
_MAX_BICUBIC_DIFFERENCE = 1.0


@dataclass(frozen=True)
class JoinedImages(ImageSet):
    """The pairs of ``first`` followed by those of ``second``.

    The layout, the place and the skipped images are those of ``first``.
    """

    pairs: tuple[ImagePair, ...] = field(init=False)
    first: ImageSet = field(kw_only=True)
    second: ImageSet = field(kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pairs", self.first.pairs + self.second.pairs)
        super().__post_init__()

    @classmethod
    def of(cls, first: ImageSet, second: ImageSet) -> JoinedImages:
        description = first.skipped, first.layout, first.remarks + second.remarks, first.place
        return cls(first.scale, *description, first=first, second=second)

    @cached_property
    def fingerprint(self) -> str:
        both = f"{self.first.fingerprint} {self.second.fingerprint}"
        return hashlib.sha256(both.encode()).hexdigest()[:16]

    def release(self) -> None:
        self.first.release()
        self.second.release()


def with_smaller_copies(images: ImageSet, sizes: Sequence[float], patch: int) -> ImageSet:
    """Returns ``images`` with copies of each, resized by the factors ``sizes``, which are below 1.

    Copies too small for a crop of ``patch`` LR pixels a side are omitted. LR images of copies are
    made by bicubic interpolation; if those of ``images`` were made in another way, no copies are
    added, since networks would learn to undo both. Copies are kept in the user's cache.
    """
    smallest = max(patch, MIN_LR_SIDE)
    if not any(True for _ in _sizes_of_copies(images, sizes, smallest)):
        return images
    if not all(_is_bicubic(pair) for pair in islice(images.in_turn(), _TESTED_PAIRS)):
        return images
    stored, remarks = store(
        ["smaller copies", images.fingerprint, list(sizes), smallest, PIL.__version__],
        CachedFolder(f"smaller copies of {images.fingerprint}", images.scale),
        lambda: sum(
            3 * (height * width + height * width // images.scale**2)
            for _, (height, width) in _sizes_of_copies(images, sizes, smallest)
        ),
        partial(_write, images, sizes, smallest),
    )
    return JoinedImages.of(images, SharedImages(images.scale, (), None, remarks, stored=stored))


def _sizes_of_copies(
    images: ImageSet, sizes: Sequence[float], smallest: int
) -> Iterator[tuple[ImagePair, tuple[int, int]]]:
    """Yields each image with the height and width of each of its copies."""
    for pair in images.in_turn():
        for size in sizes:
            height, width = (round(size * side) for side in pair.hr.shape[:2])
            if min(height, width) // images.scale >= smallest:
                yield pair, (height, width)


def _write(images: ImageSet, sizes: Sequence[float], smallest: int, file: IO[bytes]) -> Index:
    writer = PixelWriter(file, HOLD_OUT)
    for pair, (height, width) in _sizes_of_copies(images, sizes, smallest):
        copy = replace(degrade(resized(pair.hr, height, width), images.scale), name=pair.name)
        writer.add(f"{copy.name} at {width}x{height}", copy.lr, copy.hr, copy.is_flat)
    return writer.index()


def _is_bicubic(pair: ImagePair) -> bool:
    """Returns whether the LR image was made from the HR image by bicubic interpolation."""
    bicubic = degrade(pair.hr, pair.hr.shape[0] // pair.lr.shape[0]).lr
    difference = np.abs(bicubic.astype(np.int16) - pair.lr)
    return bool(difference.mean() <= _MAX_BICUBIC_DIFFERENCE)
