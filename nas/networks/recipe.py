"""How a network is trained: plain values."""

from __future__ import annotations

from dataclasses import dataclass

from ..choices import Loss, Precision, Quantization, RecipeName

#: Below this a schedule has no room for warm-up, cosine and INT8 rounding.
MIN_SEARCH_STEPS = 50


@dataclass(frozen=True)
class Recipe:
    """How long and on what a network is trained."""

    steps: int
    batch: int = 16
    #: side of a crop in low-resolution pixels
    patch: int = 32
    #: Adam's, after linear warm-up; from there it falls to zero along a cosine
    learning_rate: float = 2e-3
    #: of all steps, the first ones, in which the learning rate rises
    warmup_fraction: float = 0.05
    #: of all steps, the last ones, which run with INT8 rounding
    qat_fraction: float = 0.3
    quantization: Quantization = Quantization.QAT
    loss: Loss = Loss.L1
    #: convolutions in bfloat16
    bfloat16: bool = False

    @property
    def precision(self) -> Precision:
        """What convolutions are in."""
        return Precision.BFLOAT16 if self.bfloat16 else Precision.FLOAT32

    @property
    def fork_step(self) -> int:
        """Where the network and its floating-point twin part; the end, if they never do."""
        if self.quantization is Quantization.PTQ:
            return self.steps
        return self.steps - max(1, round(self.steps * self.qat_fraction))

    def steps_left(self, step: int, *, twin_only: bool) -> int:
        """Gradient steps after ``step``, those of the twin included or alone."""
        return self.steps - step + (0 if twin_only else self.steps - self.fork_step)

    @property
    def warmup_steps(self) -> int:
        """Steps in which the learning rate rises."""
        return max(1, round(self.steps * self.warmup_fraction))

    @property
    def ema_momentum(self) -> float:
        """Of the weights' moving average: over the last hundredth of the steps, at most 1,000."""
        return max(0.0, min(0.999, 1 - 100 / self.steps))


def recipe_named(name: RecipeName) -> Recipe:
    """The recipe of that name.

    ``proxy`` is about as long as a candidate of a search is trained by default, where a search
    times its steps. ``full`` is the shortest that makes a network worth shipping; its crops are
    those of ABPN's authors (arXiv:2105.09750), 64x64 LR.
    """
    match name:
        case RecipeName.PROXY:
            return Recipe(steps=1000)
        case RecipeName.FULL:
            return Recipe(steps=200_000, patch=64)
