"""Detects a stalled training in a worker process, such as a deadlock in native code.

The limit follows from the time of the training's own earlier steps, so that a training on a slow or
busy machine does not count as stalled.
"""

from __future__ import annotations

from ..data.images import ImageSet
from .job import Progress
from .recipe import Recipe

#: Time allowed for work other than steps: imports, compilation of the first step, calibration.
FLOOR_SECONDS = 600.0
#: How many times as long as expected a step may take.
FACTOR = 10.0


def judging_steps(recipe: Recipe, images: ImageSet) -> float:
    """Returns how many gradient steps take at least as long as validation on ``images``."""
    pixels: int = sum(pair.lr.shape[0] * pair.lr.shape[1] for pair in images.pairs)
    return pixels / (recipe.batch * recipe.patch**2)


class StallWatch:
    """Observes the steps of a training and computes how long to wait for the next one."""

    def __init__(self, judging_steps: float) -> None:
        """``judging_steps``: duration of the validation after the last step, in steps."""
        self._judging_steps = judging_steps
        self._expected_seconds = 0.0

    def observe(self, progress: Progress, seconds: float) -> None:
        """Records the ``progress`` of the training ``seconds`` after its start."""
        next_steps = self._judging_steps if progress.step == progress.steps else 1
        self._expected_seconds = seconds / progress.step * next_steps

    def patience(self) -> float:
        """Returns the seconds within which the next progress is due."""
        return FLOOR_SECONDS + FACTOR * self._expected_seconds
