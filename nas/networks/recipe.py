"""How a network is trained: plain values."""

from __future__ import annotations

from dataclasses import dataclass

from ..choices import Quantization


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
    #: convolutions in bfloat16
    bfloat16: bool = False

    @property
    def fork_step(self) -> int:
        """Where the network and its floating-point twin part; the end, if they never do."""
        if self.quantization is Quantization.PTQ:
            return self.steps
        return self.steps - max(1, round(self.steps * self.qat_fraction))

    @property
    def warmup_steps(self) -> int:
        """Steps in which the learning rate rises."""
        return max(1, round(self.steps * self.warmup_fraction))

    @property
    def ema_momentum(self) -> float:
        """Of the weights' moving average: over the last hundredth of the steps, at most 1,000."""
        return max(0.0, min(0.999, 1 - 100 / self.steps))
