"""What the rules look at: a model, and what its device says of each operator."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from latency_models import Latency, OperatorLatency, WeightGranularity
from latency_models.tflite import TfliteModel, TfliteOperator, TfliteTensor

CONVOLUTIONS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV"})
CPU = "cpu"


@dataclass(frozen=True)
class Target:
    """What a device takes: TFLite's operators (None: any), and weights."""

    name: str
    operators: frozenset[str] | None
    weights: WeightGranularity


@dataclass(frozen=True)
class Subject:
    """A model under examination; without a device, only what the file itself says is known."""

    model: TfliteModel
    target: Target | None = None
    latency: Latency | None = None
    #: milliseconds of convolutions of so many channels on the device; None if it cannot say
    width_ms: Callable[[int], float | None] = lambda channels: None

    def row(self, operator: TfliteOperator) -> OperatorLatency | None:
        """Where ``operator`` runs, and for how long."""
        return self._rows.get(name_of(operator))

    def ms(self, operator: TfliteOperator) -> float | None:
        """What ``operator`` takes on the device, if that is known."""
        row = self.row(operator)
        return None if row is None else row.ms

    def engine(self, operator: TfliteOperator) -> str | None:
        """Where ``operator`` runs on the device, if that is known."""
        row = self.row(operator)
        return None if row is None else row.engine

    @cached_property
    def main_engine(self) -> str | None:
        """Where the convolutions run, or most of the time is spent."""
        if self.latency is None:
            return None
        rows = self.latency.operators
        busy: defaultdict[str, float] = defaultdict(float)
        for row in [row for row in rows if row.kind in CONVOLUTIONS] or rows:
            busy[row.engine] += row.ms
        return max(busy, key=lambda engine: busy[engine])

    @cached_property
    def _rows(self) -> dict[str, OperatorLatency]:
        return {row.name: row for row in self.latency.operators} if self.latency else {}

    def is_enlarged(self, operator: TfliteOperator) -> bool:
        """Does it work on the enlarged image: on more pixels than the model is given?"""
        return self._pixels(operator.outputs) > self._pixels(self.model.inputs)

    def _pixels(self, tensors: tuple[TfliteTensor, ...]) -> int:
        return max((t.shape[1] * t.shape[2] for t in tensors if len(t.shape) == 4), default=0)


def name_of(operator: TfliteOperator) -> str:
    """As kernels and latencies name it: after what it makes."""
    return operator.outputs[0].name


def activations(operator: TfliteOperator) -> tuple[TfliteTensor, ...]:
    """What flows through it, without constants."""
    tensors = (*filter(None, operator.inputs), *operator.outputs)
    return tuple(tensor for tensor in tensors if not tensor.constant)
