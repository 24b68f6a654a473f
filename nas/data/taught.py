"""Makes training targets for distillation: mixtures of photographs and a teacher's results.

A small network cannot reproduce all details of a photograph from its low-resolution image, and
targets with those details waste a part of each gradient. The result of a larger network, the
teacher, is easier to learn (Hinton et al., "Distilling the Knowledge in a Neural Network", 2015).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import IO

import numpy as np

from .cache import CachedFolder
from .images import HOLD_OUT, ImageSet, SharedImages
from .pixels import Pixels
from .shared_memory import Index, PixelWriter
from .storage import store

#: Weight of the teacher's result in a target (chosen by studies/training_at_length).
TEACHER_SHARE = 0.5
#: Enlarges LR pixels to HR pixels.
Upscale = Callable[[Pixels], Pixels]
#: Progress callback ``(done, total)``: numbers of images.
Tell = Callable[[int, int], None]


def taught(images: ImageSet, teacher: str, upscale: Upscale, tell: Tell) -> SharedImages:
    """Returns ``images`` with HR pixels mixed from the photographs and the teacher's results.

    ``upscale`` runs the teacher on LR pixels; ``teacher`` is the digest of the teacher's file. The
    results are kept in the user's cache.
    """
    stored, remarks = store(
        ["taught", images.fingerprint, teacher, TEACHER_SHARE],
        CachedFolder(f"taught by {teacher[:8]} from {images.fingerprint}", images.scale),
        lambda: sum(pair.lr.size + pair.hr.size for pair in images.pairs),
        partial(_write, images, upscale, tell),
    )
    return SharedImages(
        images.scale,
        images.skipped,
        images.layout,
        (*images.remarks, *remarks),
        images.place,
        stored=stored,
    )


def _write(images: ImageSet, upscale: Upscale, tell: Tell, file: IO[bytes]) -> Index:
    writer = PixelWriter(file, HOLD_OUT)
    for number, pair in enumerate(images.in_turn(), 1):
        result = upscale(np.ascontiguousarray(pair.lr)).astype(np.float32)
        mixed = np.rint((1 - TEACHER_SHARE) * pair.hr + TEACHER_SHARE * result).astype(np.uint8)
        writer.add(pair.name, pair.lr, mixed, pair.is_flat)
        tell(number, len(images.pairs))
    return writer.index()
