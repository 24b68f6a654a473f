"""Training recipes and learning-rate schedules, as plain values."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..choices import Loss, Precision, Quantization, RecipeName

#: Raised whenever the same recipe comes to train otherwise (another optimizer, other rates, other
#: crops), so that what was trained before is not taken for a training of now.
METHOD = 1
#: Below this a schedule has no room for a warm-up and a fall to zero.
MIN_SEARCH_STEPS = 50
#: Smallest and largest values that a full training accepts.
BOUNDS = {"steps": (10, 1_000_000_000), "batch": (1, 256), "patch": (8, 256)}
#: The kernel rate is the recipe's up to ``_BRIEF_STEPS``. Longer trainings have
#: (_BRIEF_STEPS / steps)^_FALL of it for ``_KERNELS`` kernels, the more for fewer ones, and the
#: less for more: all kernels of a network move its image together, those of branches too. Constants
#: are those that suit networks of 7 to 81 kernels after 2,500 and 10,000 steps
#: (studies/training_speed).
_BRIEF_STEPS = 500
_FALL = 1 / 6
_KERNELS, _FALL_BY_KERNELS = 9, 0.4
#: Fewer, as ABPN has, count as so many: higher rates were not tried.
_FEWEST_KERNELS = 7
#: The rate does not fall faster than so, lest it jump where trainings become long.
_STEEPEST_FALL = 2 / 3
#: Of the rate of INT8 training.
_INT8_FALL = 1 / 3


@dataclass(frozen=True)
class Schedule:
    """The schedule of one training phase: its steps and its peak rates.

    Rates rise linearly during ``warmup_steps``, then fall to zero along a cosine.
    """

    steps: int
    #: root mean square of a kernel's step, in standard deviations of its initial weights
    kernel_rate: float
    #: of Adam, for biases, slopes and INT8 ranges
    learning_rate: float
    warmup_steps: int

    @property
    def average_momentum(self) -> float:
        """Momentum of the weights' moving average, over 1 % of the steps, 1,000 at most."""
        return max(0.0, min(0.999, 1 - 100 / self.steps))


@dataclass(frozen=True)
class Recipe:
    """Hyperparameters of a training in floating point, and of the INT8 training that may follow.

    INT8 training takes ``int8_fraction`` of ``steps`` in addition.
    """

    steps: int
    batch: int = 16
    #: side of a crop in low-resolution pixels
    patch: int = 32
    #: of trainings up to 500 steps; longer ones have a lower rate
    kernel_rate: float = 1.1e-2
    learning_rate: float = 2e-3
    #: share of the steps during which both rates rise
    warmup_fraction: float = 0.05
    #: ratio of INT8 steps to floating-point steps
    int8_fraction: float = 0.3
    #: ratio of the rates of INT8 training to those above
    int8_rate: float = 0.3
    quantization: Quantization = Quantization.AUTO
    loss: Loss = Loss.L1
    #: sizes of each photograph, of its own, at which it is learned from besides
    smaller_copies: tuple[float, ...] = ()
    #: convolutions in bfloat16
    bfloat16: bool = False

    @property
    def precision(self) -> Precision:
        """The precision of convolutions."""
        return Precision.BFLOAT16 if self.bfloat16 else Precision.FLOAT32

    def float_schedule(self, kernels: int) -> Schedule:
        """Schedule of the floating-point phase of a network of so many ``kernels``."""
        by_kernels = (_KERNELS / max(kernels, _FEWEST_KERNELS)) ** _FALL_BY_KERNELS
        share = max(self._fallen(_FALL) * by_kernels, self._fallen(_STEEPEST_FALL))
        return self._schedule(self.steps, 1.0, min(1.0, share))

    @property
    def int8_schedule(self) -> Schedule:
        """Schedule of the INT8 phase, which follows it."""
        steps = max(1, round(self.steps * self.int8_fraction))
        return self._schedule(steps, self.int8_rate, self._fallen(_INT8_FALL))

    def _fallen(self, exponent: float) -> float:
        return math.pow(min(1.0, _BRIEF_STEPS / self.steps), exponent)

    def _schedule(self, steps: int, height: float, kernel_share: float) -> Schedule:
        return Schedule(
            steps=steps,
            kernel_rate=self.kernel_rate * height * kernel_share,
            learning_rate=self.learning_rate * height,
            warmup_steps=max(1, round(steps * self.warmup_fraction)),
        )


def recipe_named(name: RecipeName) -> Recipe:
    """The recipe of that name.

    ``proxy`` is how a candidate of a search is trained by default, ``full`` a network to ship: it
    sees each photograph so often that smaller copies of it are worth having. Both take crops of
    32x32 LR pixels: those of ABPN's authors (arXiv:2105.09750), 64x64, give less than as many steps
    more as they cost (studies/training_at_length).
    """
    match name:
        case RecipeName.PROXY:
            return Recipe(steps=250)
        case RecipeName.FULL:
            return Recipe(steps=200_000, smaller_copies=(2 / 3, 1 / 2))
