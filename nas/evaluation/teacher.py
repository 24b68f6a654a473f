"""The teacher of a training (knowledge distillation): the INT8 file of a better network."""

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
    """The model in ``file``, identified by its content (``digest``), not by its name.

    Raises InputError if the file cannot be read.
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
        """Opens the model to run in ``worker``.

        Raises InputError if it is not an INT8 file or has another scale.
        """
        upscaler = open_enlarger(self.file, worker)
        if upscaler.scale != scale:
            raise InputError(
                f"teacher {self.name}: enlarges x{upscaler.scale}; give a model of x{scale}"
            )
        return upscaler

    def targets(self, images: ImageSet, worker: Worker, tell: Tell) -> SharedImages:
        """Returns ``images`` with HR mixed with the teacher's results.

        Calls ``tell`` with the number of images done and the number of all images.
        """
        return taught(images, self.digest, self.open(worker, images.scale).upscale, tell)
