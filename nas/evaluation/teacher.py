"""A teacher of a training: the INT8 file of a better network."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from latency_models import Worker
from search_spaces import InputError

from ..data.images import ImageSet, SharedImages
from ..data.taught import Tell, taught
from .inference import Upscaler, open_enlarger


@dataclass(frozen=True)
class Teacher:
    """The model in ``file``; another one of the same name is another teacher.

    InputError if it cannot be read.
    """

    name: str
    file: Path
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        try:
            model = self.file.read_bytes()
        except OSError as error:
            raise InputError(f"teacher {self.file}: {error.strerror}") from None
        object.__setattr__(self, "digest", hashlib.sha256(model).hexdigest())

    def open(self, worker: Worker, scale: int) -> Upscaler:
        """The model, run in ``worker``; InputError if it is no INT8 file, or of another scale."""
        upscaler = open_enlarger(self.file, worker)
        if upscaler.scale != scale:
            raise InputError(
                f"teacher {self.name}: enlarges x{upscaler.scale}; give a model of x{scale}"
            )
        return upscaler

    def targets(self, images: ImageSet, worker: Worker, tell: Tell) -> SharedImages:
        """``images`` with the teacher's share in HR; it tells how many of how many are made."""
        return taught(images, self.digest, self.open(worker, images.scale).upscale, tell)
