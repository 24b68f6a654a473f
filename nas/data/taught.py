"""Images of which a teacher has a share: the targets of a training by distillation.

A small network cannot learn all that a photograph shows beyond its low-resolution image, and a part
of each gradient pulls at what it will never have. What a larger network makes of the same image is
nearer to what can be learned (Hinton et al., "Distilling the Knowledge in a Neural Network", 2015).
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

#: Of the targets, the part that is the teacher's (studies/training_at_length).
SHARE = 0.5
Upscale = Callable[[Pixels], Pixels]
#: is told how many images of how many are made
Tell = Callable[[int, int], None]


def taught(images: ImageSet, teacher: str, upscale: Upscale, tell: Tell) -> SharedImages:
    """``images`` with HR pixels between the photographs' own and what ``upscale`` makes of LR.

    ``teacher`` is the digest of its file: what it has made once is kept in the user's cache.
    """
    stored, remarks = store(
        ["taught", images.fingerprint, teacher, SHARE],
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
        made = upscale(np.ascontiguousarray(pair.lr)).astype(np.float32)
        mixed = np.rint((1 - SHARE) * pair.hr + SHARE * made).astype(np.uint8)
        writer.add(pair.name, pair.lr, mixed, pair.is_flat)
        tell(number, len(images.pairs))
    return writer.index()
