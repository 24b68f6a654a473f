"""How a network is trained: plain values."""

from __future__ import annotations

from dataclasses import dataclass

from ..choices import Loss, Precision, Quantization, RecipeName

#: Below this a schedule has no room for a warm-up and a fall to zero.
MIN_SEARCH_STEPS = 50
#: What may be asked of a full training: the least and the most.
BOUNDS = {"steps": (10, 1_000_000_000), "batch": (1, 256), "patch": (8, 256)}
#: Up to so many steps the rate of kernels is what the recipe says; beyond, it falls with this power
#: of the steps. At the rate of brief trainings narrow layers die within some thousand steps, while
#: ABPN has the same PSNR after 10,000 steps at 0.004 and at 0.008 (studies/training_speed).
_BRIEF_STEPS = 500
_FALL = 1 / 3


@dataclass(frozen=True)
class Schedule:
    """Steps of one stretch of training, and how large they are at their peak.

    Up along a line in ``warmup_steps``, then down to zero along a cosine.
    """

    steps: int
    #: root mean square of a kernel's step, in first weights' deviations
    kernel_rate: float
    #: Adam's, for biases, slopes and INT8 ranges
    learning_rate: float
    warmup_steps: int

    @property
    def average_momentum(self) -> float:
        """Of the weights' moving average: over the last hundredth of the steps, at most 1,000."""
        return max(0.0, min(0.999, 1 - 100 / self.steps))


@dataclass(frozen=True)
class Recipe:
    """How long and on what a network is trained: in floating point, then quantized.

    INT8 training, where it is called for, goes on from there for ``int8_fraction`` of the steps.
    """

    steps: int
    batch: int = 16
    #: side of a crop in low-resolution pixels
    patch: int = 32
    #: of a brief training; longer ones make smaller steps
    kernel_rate: float = 1.1e-2
    learning_rate: float = 2e-3
    #: of all steps, the first ones, in which both rates rise
    warmup_fraction: float = 0.05
    #: INT8 steps to floating-point steps
    int8_fraction: float = 0.3
    #: the rates of INT8 training to those above
    int8_rate: float = 0.3
    quantization: Quantization = Quantization.AUTO
    loss: Loss = Loss.L1
    #: convolutions in bfloat16
    bfloat16: bool = False

    @property
    def precision(self) -> Precision:
        """What convolutions are in."""
        return Precision.BFLOAT16 if self.bfloat16 else Precision.FLOAT32

    @property
    def float_schedule(self) -> Schedule:
        """From first weights."""
        return self._schedule(self.steps, 1.0)

    @property
    def int8_schedule(self) -> Schedule:
        """From floating-point weights on."""
        return self._schedule(max(1, round(self.steps * self.int8_fraction)), self.int8_rate)

    def _schedule(self, steps: int, height: float) -> Schedule:
        return Schedule(
            steps=steps,
            kernel_rate=self.kernel_rate * height * min(1.0, _BRIEF_STEPS / self.steps) ** _FALL,
            learning_rate=self.learning_rate * height,
            warmup_steps=max(1, round(steps * self.warmup_fraction)),
        )


def recipe_named(name: RecipeName) -> Recipe:
    """The recipe of that name.

    ``proxy`` is how a candidate of a search is trained by default. ``full`` is the shortest that
    makes a network worth shipping; its crops are those of ABPN's authors (arXiv:2105.09750), 64x64
    LR.
    """
    match name:
        case RecipeName.PROXY:
            return Recipe(steps=250)
        case RecipeName.FULL:
            return Recipe(steps=200_000, patch=64)
