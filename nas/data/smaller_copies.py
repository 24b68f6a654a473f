"""Training images at smaller sizes besides their own: more to learn from, where they are few.

A photograph at half its size shows finer detail a pixel, as another one taken from farther away
would. What it gives is in studies/training_at_length.
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

#: How many pairs tell how the low-resolution images of a set were made.
_LOOKED_AT = 5
#: Mean difference between two programs' bicubic interpolations, in grey levels, at most.
_SAME_LEVELS = 1.0


@dataclass(frozen=True)
class JoinedImages(ImageSet):
    """The pairs of ``first``, whose place and remarks it has, and those of ``second``."""

    pairs: tuple[ImagePair, ...] = field(init=False)
    first: ImageSet = field(kw_only=True)
    second: ImageSet = field(kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pairs", self.first.pairs + self.second.pairs)
        super().__post_init__()

    @classmethod
    def of(cls, first: ImageSet, second: ImageSet) -> JoinedImages:
        about = first.skipped, first.layout, first.remarks + second.remarks, first.place
        return cls(first.scale, *about, first=first, second=second)

    @cached_property
    def fingerprint(self) -> str:
        both = f"{self.first.fingerprint} {self.second.fingerprint}"
        return hashlib.sha256(both.encode()).hexdigest()[:16]

    def release(self) -> None:
        self.first.release()
        self.second.release()


def with_smaller_copies(images: ImageSet, sizes: Sequence[float], patch: int) -> ImageSet:
    """``images``, and each of them at ``sizes`` below 1, where a ``patch`` of LR pixels fits in.

    Low-resolution images of copies are bicubic. Of a set whose own ones are made in another way,
    none are added: networks would learn to undo both. Copies are kept in the user's cache.
    """
    smallest = max(patch, MIN_LR_SIDE)
    if not any(True for _ in _sizes_of_copies(images, sizes, smallest)):
        return images
    if not all(_is_bicubic(pair) for pair in islice(images.in_turn(), _LOOKED_AT)):
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
    """Each image, and a height and width that it is to be copied at."""
    for pair in images.in_turn():
        for size in sizes:
            height, width = (round(size * side) for side in pair.hr.shape[:2])
            if min(height, width) // images.scale >= smallest:
                yield pair, (height, width)


def _write(images: ImageSet, sizes: Sequence[float], smallest: int, file: IO[bytes]) -> Index:
    writer = PixelWriter(file, HOLD_OUT)
    for pair, (height, width) in _sizes_of_copies(images, sizes, smallest):
        made = replace(degrade(resized(pair.hr, height, width), images.scale), name=pair.name)
        writer.add(f"{made.name} at {width}x{height}", made.lr, made.hr, made.is_flat)
    return writer.index()


def _is_bicubic(pair: ImagePair) -> bool:
    """Is the low-resolution image what bicubic interpolation makes of the other?"""
    made = degrade(pair.hr, pair.hr.shape[0] // pair.lr.shape[0]).lr
    difference = np.abs(made.astype(np.int16) - pair.lr)
    return bool(difference.mean() <= _SAME_LEVELS)
