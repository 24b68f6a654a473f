"""When does a training that runs apart count as stalled? A deadlock in native code never ends.

It is judged by what its own steps take here, so that no slow or busy machine's training is.
"""

from __future__ import annotations

from ..data.images import ImageSet
from .job import Progress
from .recipe import Recipe

#: What needs no step: imports, a first step's compilation, calibration.
FLOOR_SECONDS = 600.0
#: So many times as long as is expected may anything take.
FACTOR = 10.0


def judging_steps(recipe: Recipe, images: ImageSet) -> float:
    """As many gradient steps take about as long as judging a network on ``images``, or longer."""
    pixels: int = sum(pair.lr.shape[0] * pair.lr.shape[1] for pair in images.pairs)
    return pixels / (recipe.batch * recipe.patch**2)


class StallWatch:
    """Observes the steps of a training, and says how long it may go without another."""

    def __init__(self, judging_steps: float) -> None:
        """``judging_steps``: what comes after the last step, measured in steps."""
        self._judging_steps = judging_steps
        self._expected_seconds = 0.0

    def observe(self, progress: Progress, seconds: float) -> None:
        """``seconds`` after it was begun the training has come so far."""
        ahead = self._judging_steps if progress.step == progress.steps else 1
        self._expected_seconds = seconds / progress.step * ahead

    def patience(self) -> float:
        """Seconds within which the next progress is due."""
        return FLOOR_SECONDS + FACTOR * self._expected_seconds
