"""Validation of a network during its training."""

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

#: Least time between two validations, in seconds.
INTERVAL_SECONDS = 300.0
#: Largest share of the time that validation may take. A validation of 4 seconds every 5 minutes
#: stays below it.
MAX_TIME_SHARE = 0.02


@dataclass(frozen=True)
class ValidationPoint:
    """Mean PSNR of the averaged weights on the validation images after a step."""

    phase: Phase
    step: int
    psnr_db: float


class PeriodicValidation:
    """Validates a network periodically between two training steps, and calls ``tell``.

    The network runs in floating point, or with INT8 rounding in that phase of the training. Like
    the integer file, it upscales whole images in tiles. Its weights are not changed.
    """

    def __init__(
        self,
        evaluator: CandidateEvaluator,
        tell: Callable[[ValidationPoint], None],
        interval_seconds: float = INTERVAL_SECONDS,
    ) -> None:
        self._evaluator, self._tell, self._interval = evaluator, tell, interval_seconds
        self._due_at = time.monotonic() + interval_seconds

    def observe(self, trainer: Trainer, progress: Progress) -> None:
        """Validates the network of ``trainer``, which has taken a step, if it is due."""
        started = time.monotonic()
        if started < self._due_at:
            return
        point = ValidationPoint(progress.phase, progress.step, self._psnr_db(trainer))
        ended = time.monotonic()
        self._due_at = ended + max(self._interval, (ended - started) / MAX_TIME_SHARE)
        self._tell(point)

    def _psnr_db(self, trainer: Trainer) -> float:
        from ..training.training_run import network_upscaler

        images = self._evaluator.data.validation
        upscale = network_upscaler(*trainer.averaged_network(), self._evaluator.input)
        return fmean(psnr_db(upscale(pair.lr), pair.hr, images.scale) for pair in images.in_turn())
