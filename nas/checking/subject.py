"""The model that the rules check, with the latency of its operators on a device."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from latency_models import Latency, OperatorLatency, WeightGranularity
from latency_models.tflite.requests import TfliteModel, TfliteOperator, TfliteTensor

CONVOLUTIONS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV"})
#: Operators that clip values to a range: MINIMUM and MAXIMUM do if one input is constant.
CLIPS = frozenset({"MINIMUM", "MAXIMUM", "RELU", "RELU6", "RELU_0_TO_1"})
_REARRANGING_KINDS = frozenset({"DEPTH_TO_SPACE", "RESHAPE", "TRANSPOSE", "QUANTIZE"})
#: Operators that combine tensors without changing values.
_JOINING_KINDS = frozenset({"CONCATENATION", "PACK"})


@dataclass(frozen=True)
class Target:
    """What a device supports: kinds of TFLite operators (None: any), and weight granularity."""

    name: str
    operators: frozenset[str] | None
    weights: WeightGranularity


@dataclass(frozen=True)
class Subject:
    """A model to be checked; without a device only its file is known."""

    model: TfliteModel
    target: Target | None = None
    latency: Latency | None = None
    #: number of channels -> milliseconds of convolutions on the device; None if unknown
    width_ms: Callable[[int], float | None] = lambda channels: None

    def row(self, operator: TfliteOperator) -> OperatorLatency | None:
        """Returns the engine and the time of ``operator``, None if unknown."""
        return self._rows.get(name_of(operator))

    def ms(self, operator: TfliteOperator) -> float | None:
        """Returns the milliseconds of ``operator`` on the device, None if unknown."""
        row = self.row(operator)
        return None if row is None else row.ms

    def falls_back(self, operator: TfliteOperator) -> bool:
        """Returns whether the NPU leaves ``operator`` to the CPU; False if there is no NPU."""
        return self.latency is not None and name_of(operator) in self.latency.on_cpu

    @cached_property
    def main_engine(self) -> str | None:
        """Engine on which the convolutions spend most time; without convolutions, all operators.

        Operators that fall back to the CPU do not count.
        """
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
        """Share of the model's time that is spent in operators that fall back to the CPU."""
        if self.latency is None:
            return 0.0
        on_cpu = (row.ms for row in self.latency.operators if row.name in self.latency.on_cpu)
        return sum(on_cpu) / self.latency.ms

    def feeds_only_output(self, operator: TfliteOperator) -> bool:
        """Returns whether its result is used for the model's output only, with its values kept.

        On the way to the output, the result may be clipped, rearranged and joined, no more.
        """
        return name_of(operator) in self._output_only_tensors

    @cached_property
    def _output_only_tensors(self) -> frozenset[str]:
        output_only = {tensor.name for tensor in self.model.outputs}
        elsewhere: set[str] = set()
        for operator in reversed(self.model.operators):
            sources = [t for t in operator.inputs if t is not None and not t.constant]
            keeps = operator.kind in _JOINING_KINDS or (
                operator.kind in CLIPS | _REARRANGING_KINDS and len(sources) == 1
            )
            feeds_only_output = keeps and name_of(operator) in output_only - elsewhere
            (output_only if feeds_only_output else elsewhere).update(
                tensor.name for tensor in sources
            )
        return frozenset(output_only - elsewhere)


def name_of(operator: TfliteOperator) -> str:
    """Returns the name of an operator, as in latencies: that of its first output tensor."""
    return operator.outputs[0].name


def makes_pixels(operator: TfliteOperator) -> bool:
    """Returns whether it makes pixels of channels: DEPTH_TO_SPACE, or RESHAPE to fewer channels."""
    if operator.kind == "DEPTH_TO_SPACE":
        return True
    source = operator.inputs[0] if operator.inputs else None
    if operator.kind != "RESHAPE" or source is None:
        return False
    return operator.outputs[0].shape[-1:] < source.shape[-1:]


def activations(operator: TfliteOperator) -> tuple[TfliteTensor, ...]:
    """Returns inputs and outputs of ``operator``, without constants."""
    tensors = (*filter(None, operator.inputs), *operator.outputs)
    return tuple(tensor for tensor in tensors if not tensor.constant)
