"""Random crops of images for training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from search_spaces import InputError

from .images import ImageSet
from .pixels import Pixels

#: One RGB pixel as a single item of 3 bytes: rotating separate bytes takes a third longer.
_PIXEL = np.dtype("V3")


@dataclass(frozen=True)
class PatchSampler:
    """Random crops with flips and rotations: ``batch`` per step, ``patch`` LR pixels a side."""

    images: ImageSet
    batch: int
    patch: int

    def __post_init__(self) -> None:
        for pair in self.images.pairs:
            height, width = pair.lr.shape[:2]
            if self.patch > min(height, width):
                raise InputError(
                    f"patch {self.patch}: {pair.name} has only {height}x{width} LR pixels; "
                    "choose a smaller patch, or leave the image out"
                )

    @property
    def shapes(self) -> tuple[tuple[int, int, int, int], tuple[int, int, int, int]]:
        """Shapes of the LR and HR patches of one batch."""
        hr = self.patch * self.images.scale
        return (self.batch, self.patch, self.patch, 3), (self.batch, hr, hr, 3)

    def batch_of(self, seed: int, step: int) -> tuple[Pixels, Pixels]:
        """Returns uint8 LR and HR patches of ``shapes``, determined by ``seed`` and ``step``."""
        random = np.random.default_rng((seed, step))
        patch, scale = self.patch, self.images.scale
        lr, hr = (np.empty(shape, np.uint8) for shape in self.shapes)
        for index in range(self.batch):
            pair = self.images.pairs[random.integers(len(self.images.pairs))]
            top, left = (random.integers(side - patch + 1) for side in pair.lr.shape[:2])
            turns, mirror = int(random.integers(4)), random.integers(2)
            for out, pixels, zoom in ((lr, pair.lr, 1), (hr, pair.hr, scale)):
                y, x, side = top * zoom, left * zoom, patch * zoom
                crop = np.ascontiguousarray(pixels[y : y + side, x : x + side]).view(_PIXEL)
                turned = np.rot90(crop, turns)
                out[index].view(_PIXEL)[:] = turned[:, ::-1] if mirror else turned
        self.images.release()
        return lr, hr
