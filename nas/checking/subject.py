"""The subject of the rules: a model, and the latency of its operators on a device."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from latency_models import Latency, OperatorLatency, WeightGranularity
from latency_models.tflite.requests import TfliteModel, TfliteOperator, TfliteTensor

CONVOLUTIONS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV"})
#: What holds values in range: with a constant, of two.
CLIPS = frozenset({"MINIMUM", "MAXIMUM", "RELU", "RELU6", "RELU_0_TO_1"})
_REARRANGES = frozenset({"DEPTH_TO_SPACE", "RESHAPE", "TRANSPOSE", "QUANTIZE"})
#: What makes one tensor of several, and changes no value.
_JOINS = frozenset({"CONCATENATION", "PACK"})


@dataclass(frozen=True)
class Target:
    """What a device takes: TFLite's operators (None: any), and weights."""

    name: str
    operators: frozenset[str] | None
    weights: WeightGranularity


@dataclass(frozen=True)
class Subject:
    """A model to be checked; without a device only its file is known."""

    model: TfliteModel
    target: Target | None = None
    latency: Latency | None = None
    #: milliseconds of convolutions of so many channels on the device; None if it cannot say
    width_ms: Callable[[int], float | None] = lambda channels: None

    def row(self, operator: TfliteOperator) -> OperatorLatency | None:
        """Where ``operator`` runs, and for how long."""
        return self._rows.get(name_of(operator))

    def ms(self, operator: TfliteOperator) -> float | None:
        """Milliseconds of ``operator`` on the device, None if unknown."""
        row = self.row(operator)
        return None if row is None else row.ms

    def falls_back(self, operator: TfliteOperator) -> bool:
        """Does the device's NPU leave it to the CPU? Never so where there is none."""
        return self.latency is not None and name_of(operator) in self.latency.on_cpu

    @cached_property
    def main_engine(self) -> str | None:
        """Where the convolutions run, or most of the time is spent, but for what falls back."""
        if self.latency is None:
            return None
        rows = [row for row in self.latency.operators if row.name not in self.latency.on_cpu]
        busy: defaultdict[str, float] = defaultdict(float)
        for row in [row for row in rows if row.kind in CONVOLUTIONS] or rows:
            busy[row.engine] += row.ms
        return max(busy, key=lambda engine: busy[engine], default=None)

    @cached_property
    def _rows(self) -> dict[str, OperatorLatency]:
        return {row.name: row for row in self.latency.operators} if self.latency else {}

    @cached_property
    def cpu_share(self) -> float:
        """The part of the model's time that an NPU leaves to the CPU."""
        if self.latency is None:
            return 0.0
        on_cpu = (row.ms for row in self.latency.operators if row.name in self.latency.on_cpu)
        return sum(on_cpu) / self.latency.ms

    def is_last(self, operator: TfliteOperator) -> bool:
        """Is what it makes the output and nothing else, rearranged or held in range at most?"""
        return name_of(operator) in self._last

    @cached_property
    def _last(self) -> frozenset[str]:
        last = {tensor.name for tensor in self.model.outputs}
        elsewhere: set[str] = set()
        for operator in reversed(self.model.operators):
            sources = [t for t in operator.inputs if t is not None and not t.constant]
            keeps = operator.kind in _JOINS or (
                operator.kind in CLIPS | _REARRANGES and len(sources) == 1
            )
            is_last = keeps and name_of(operator) in last - elsewhere
            (last if is_last else elsewhere).update(tensor.name for tensor in sources)
        return frozenset(last - elsewhere)


def name_of(operator: TfliteOperator) -> str:
    """As operators and latencies name it: after what it makes."""
    return operator.outputs[0].name


def makes_pixels(operator: TfliteOperator) -> bool:
    """Does it make pixels of channels: DEPTH_TO_SPACE, or a RESHAPE to fewer channels?"""
    if operator.kind == "DEPTH_TO_SPACE":
        return True
    source = operator.inputs[0] if operator.inputs else None
    if operator.kind != "RESHAPE" or source is None:
        return False
    return operator.outputs[0].shape[-1:] < source.shape[-1:]


def activations(operator: TfliteOperator) -> tuple[TfliteTensor, ...]:
    """What flows through it, without constants."""
    tensors = (*filter(None, operator.inputs), *operator.outputs)
    return tuple(tensor for tensor in tensors if not tensor.constant)
