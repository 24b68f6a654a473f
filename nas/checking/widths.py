"""The rule about channels: a feature map just over the device's step pays for the next one.

The step is found by asking the device for the time of convolutions of neighboring widths.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

from latency_models import LatencyError, LatencySource, Worker
from latency_models.device import Device
from latency_models.tflite.requests import TfliteOperator
from search_spaces import Graph, GraphBuilder, InputSpec

from ..evaluation.evaluator import untrained_request
from .finding import Finding, Problem, Severity
from .subject import Subject, makes_pixels, name_of

#: Channels that multiplier arrays and memories come in.
_STEPS = (32, 16, 8)
#: Beyond, a few channels more or less do not matter.
_WIDEST = 256
#: A wider map takes as long if it is within this; a narrower one is faster by at least that.
_ALIKE, _FASTER = 1.05, 0.85


def width_probe(
    device: Device, source: LatencySource, worker: Worker, spec: InputSpec
) -> Callable[[int], float | None]:
    """Milliseconds of convolutions 3x3 of so many channels on images of ``spec``.

    None of a width that the source cannot tell. A device that is measured is not asked: each answer
    would be a run of its own, and noise would look like steps.
    """

    @functools.cache
    def width_ms(channels: int) -> float | None:
        if device.measured:
            return None
        request = untrained_request(worker, _convolutions(channels), spec, device.weights)
        try:
            rows = source.measure(request).operators
        except LatencyError:
            return None
        return sum(row.ms for row in rows if row.kind == "CONV_2D")

    return width_ms


def _convolutions(channels: int) -> Graph:
    net = GraphBuilder()
    features = net.conv(net.conv(net.input, channels, relu=True), channels, relu=True)
    return net.image(net.conv(features, 12), 2)


def channels_over_a_step(subject: Subject) -> Iterator[Finding]:
    """Feature maps a little wider than the device's hardware."""
    fixed = _channels_of_pixels(subject)
    plain = [op for op in subject.model.operators if _is_plain_conv(op)]
    for width in sorted({_channels(op) for op in plain} - fixed):
        step = _step(subject.width_ms, width)
        if step is None:
            continue
        below, above, saved = step
        alike = [op for op in plain if _channels(op) == width]
        dearest = max(alike, key=lambda op: subject.ms(op) or 0)
        yield Finding(
            Severity.WARNING, Problem.CHANNELS, name_of(dearest), dearest.kind,
            saved * sum(subject.ms(op) or 0 for op in alike),
            f"{width} channels (here and in {len(alike) - 1} more) take as long as {above}",
            f"take {below} channels, {saved:.0%} less time; or {above}, in the same time",
        )  # fmt: skip


def _step(width_ms: Callable[[int], float | None], width: int) -> tuple[int, int, float] | None:
    """Steps below and above ``width``, and the part of its time that the lower would save.

    None unless ``width`` is nearer to the lower one, and pays for the upper.
    """
    for step in _STEPS:
        below = width // step * step
        above = below + step
        if below == 0 or not 0 < width - below <= step / 2:
            continue
        low, own, high = (width_ms(channels) for channels in (below, width, above))
        if low is None or own is None or high is None:
            return None
        if high <= _ALIKE * own and low <= _FASTER * own:
            return below, above, 1 - low / own
    return None


def _channels_of_pixels(subject: Subject) -> frozenset[int]:
    """Numbers of channels that the scale decides: of what becomes pixels."""
    pixels = filter(makes_pixels, subject.model.operators)
    tensors = (*(op.inputs[0] for op in pixels if op.inputs), *subject.model.outputs)
    return frozenset(tensor.shape[-1] for tensor in tensors if tensor is not None and tensor.shape)


def _is_plain_conv(operator: TfliteOperator) -> bool:
    """A convolution that is not in groups, of as few channels as such networks have."""
    if operator.kind != "CONV_2D" or len(operator.inputs) < 2:
        return False
    source, weights = operator.inputs[:2]
    if source is None or weights is None or not operator.outputs[0].shape:
        return False
    return source.shape[-1:] == weights.shape[-1:] and _channels(operator) <= _WIDEST


def _channels(operator: TfliteOperator) -> int:
    return operator.outputs[0].shape[-1]
