"""Validation of a network while it is in training."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from ..quality.similarity import psnr_db
from ..training.job import Phase, Progress
from .evaluator import CandidateEvaluator

if TYPE_CHECKING:
    from ..training.trainer import Trainer

#: At most so often, and at most so much of the time: 4 seconds of judging every 5 minutes are less.
EVERY_SECONDS = 300.0
SHARE = 0.02


@dataclass(frozen=True)
class ValidationPoint:
    """Mean PSNR of the averaged weights on the validation images after a step."""

    phase: Phase
    step: int
    psnr_db: float


class PeriodicValidation:
    """Judges a network now and then between two steps, and tells ``tell``.

    In floating point, or with INT8 rounding once the training runs with it; as the integer file, on
    whole images and by its tiles. The weights in training are not touched.
    """

    def __init__(
        self,
        evaluator: CandidateEvaluator,
        tell: Callable[[ValidationPoint], None],
        every_seconds: float = EVERY_SECONDS,
    ) -> None:
        self._evaluator, self._tell, self._every = evaluator, tell, every_seconds
        self._due = time.monotonic() + every_seconds

    def observe(self, trainer: Trainer, progress: Progress) -> None:
        """``trainer`` has made a step."""
        started = time.monotonic()
        if started < self._due:
            return
        found = ValidationPoint(progress.phase, progress.step, self._psnr_db(trainer))
        ended = time.monotonic()
        self._due = ended + max(self._every, (ended - started) / SHARE)
        self._tell(found)

    def _psnr_db(self, trainer: Trainer) -> float:
        from ..training.training_run import network_upscaler

        images = self._evaluator.data.validation
        upscale = network_upscaler(*trainer.averaged_network(), self._evaluator.input)
        return fmean(psnr_db(upscale(pair.lr), pair.hr, images.scale) for pair in images.in_turn())
