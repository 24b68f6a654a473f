"""Training recipes and learning-rate schedules, as plain values."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..choices import Loss, Precision, Quantization, RecipeName

#: Version of the training method. Incremented whenever the same recipe trains differently (another
#: optimizer, other rates, other crops), so that no earlier training is mistaken for a current one.
METHOD = 1
#: Fewest steps of a candidate's training: the schedule needs room for warm-up and decay to zero.
MIN_SEARCH_STEPS = 50
#: Smallest and largest values that a full training accepts.
BOUNDS = {"steps": (10, 1_000_000_000), "batch": (1, 256), "patch": (8, 256)}
#: Trainings of at most this many steps use the recipe's kernel rate. Longer ones multiply it by
#:   (_SHORT_TRAINING_STEPS / steps)^_STEPS_EXPONENT
#:   * (_REFERENCE_KERNELS / kernels)^_KERNELS_EXPONENT,
#: at most 1: the more kernels a network has, branches included, the farther their steps together
#: move its output. The constants were fitted to networks of 7 to 81 kernels after 2,500 and 10,000
#: steps (studies/training_speed).
_SHORT_TRAINING_STEPS = 500
_STEPS_EXPONENT = 1 / 6
_REFERENCE_KERNELS, _KERNELS_EXPONENT = 9, 0.4
#: Networks with fewer kernels, such as ABPN, are treated as having this many: higher rates were not
#: tried.
_KERNELS_MIN = 7
#: Exponent that bounds the decrease with the number of steps, so that the rate does not jump at
#: ``_SHORT_TRAINING_STEPS`` for networks with many kernels.
_STEPS_EXPONENT_MAX = 2 / 3
#: Exponent of the number of steps for the kernel rate of INT8 training.
_INT8_STEPS_EXPONENT = 1 / 3


@dataclass(frozen=True)
class Schedule:
    """The schedule of one training phase: its steps and its peak rates.

    Rates rise linearly during ``warmup_steps``, then fall to zero along a cosine.
    """

    steps: int
    #: root mean square of a kernel's step, in standard deviations of its initial weights
    kernel_rate: float
    #: Adam's rate, for biases, PReLU slopes and INT8 ranges
    learning_rate: float
    warmup_steps: int

    @property
    def average_momentum(self) -> float:
        """Momentum of the moving average of weights: over 1 % of the steps, at most 1,000 steps."""
        return max(0.0, min(0.999, 1 - 100 / self.steps))


@dataclass(frozen=True)
class Recipe:
    """Hyperparameters of a floating-point training and of the INT8 training that may follow.

    INT8 training takes ``int8_fraction`` times ``steps`` additional steps.
    """

    steps: int
    batch: int = 16
    #: side of a crop in low-resolution pixels
    patch: int = 32
    #: as in ``Schedule``, for trainings of at most 500 steps; longer ones use a lower rate
    kernel_rate: float = 1.1e-2
    learning_rate: float = 2e-3
    #: share of the steps during which both rates rise
    warmup_fraction: float = 0.05
    #: ratio of INT8 steps to floating-point steps
    int8_fraction: float = 0.3
    #: ratio of the rates of INT8 training to those of floating-point training
    int8_rate: float = 0.3
    quantization: Quantization = Quantization.AUTO
    loss: Loss = Loss.L1
    #: scale factors of the downscaled copies of each photograph that are also trained on
    smaller_copies: tuple[float, ...] = ()
    #: whether convolutions run in bfloat16 while training
    bfloat16: bool = False

    @property
    def precision(self) -> Precision:
        """The precision of convolutions while training."""
        return Precision.BFLOAT16 if self.bfloat16 else Precision.FLOAT32

    def float_schedule(self, kernels: int) -> Schedule:
        """Returns the schedule of the floating-point phase for a network of ``kernels`` kernels."""
        kernel_factor = (_REFERENCE_KERNELS / max(kernels, _KERNELS_MIN)) ** _KERNELS_EXPONENT
        share = max(
            self._step_factor(_STEPS_EXPONENT) * kernel_factor,
            self._step_factor(_STEPS_EXPONENT_MAX),
        )
        return self._schedule(self.steps, 1.0, min(1.0, share))

    @property
    def int8_schedule(self) -> Schedule:
        """Schedule of the INT8 phase, which follows the floating-point phase."""
        steps = max(1, round(self.steps * self.int8_fraction))
        return self._schedule(steps, self.int8_rate, self._step_factor(_INT8_STEPS_EXPONENT))

    def _step_factor(self, exponent: float) -> float:
        """Returns the factor by which the length of the training reduces the kernel rate."""
        return math.pow(min(1.0, _SHORT_TRAINING_STEPS / self.steps), exponent)

    def _schedule(self, steps: int, rate_share: float, kernel_share: float) -> Schedule:
        return Schedule(
            steps=steps,
            kernel_rate=self.kernel_rate * rate_share * kernel_share,
            learning_rate=self.learning_rate * rate_share,
            warmup_steps=max(1, round(steps * self.warmup_fraction)),
        )


def recipe_named(name: RecipeName) -> Recipe:
    """Returns the recipe called ``name``.

    ``proxy`` is the default for the candidates of a search, ``full`` is for networks to deploy: it
    sees each photograph so often that downscaled copies of it help. Both use crops of 32x32 LR
    pixels: the 64x64 crops of ABPN's authors (arXiv:2105.09750) improve quality less than spending
    the same time on more steps does (studies/training_at_length).
    """
    match name:
        case RecipeName.PROXY:
            return Recipe(steps=250)
        case RecipeName.FULL:
            return Recipe(steps=200_000, smaller_copies=(2 / 3, 1 / 2))
