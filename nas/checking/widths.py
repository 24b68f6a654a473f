"""The rule about channels: a width just above a hardware step costs as much as the next step.

The step is found by the device's times of convolutions with neighboring numbers of channels.
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

#: Multiples of channels that multiplier arrays and memories process at once.
_HARDWARE_STEPS = (32, 16, 8)
#: Largest number of channels that is checked; beyond, a few more or fewer do not matter.
_MAX_CHANNELS = 256
#: Ratios to the time of the given width: at most this at the upper step, counted as equal; and at
#: most this at the lower step, counted as faster.
_EQUAL_TIME_RATIO, _FASTER_TIME_RATIO = 1.05, 0.85


def width_probe(
    device: Device, source: LatencySource, worker: Worker, spec: InputSpec
) -> Callable[[int], float | None]:
    """Returns a function from channels to milliseconds of 3x3 convolutions on images of ``spec``.

    It returns None for a width that the source cannot time, and always for measured devices: each
    width would need a measurement, and noise would look like steps.
    """

    @functools.cache
    def width_ms(channels: int) -> float | None:
        if device.measured:
            return None
        request = untrained_request(worker, _convolution_graph(channels), spec, device.weights)
        try:
            rows = source.measure(request).operators
        except LatencyError:
            return None
        return sum(row.ms for row in rows if row.kind == "CONV_2D")

    return width_ms


def _convolution_graph(channels: int) -> Graph:
    net = GraphBuilder()
    features = net.conv(net.conv(net.input, channels, relu=True), channels, relu=True)
    return net.image(net.conv(features, 12), 2)


def channels_over_a_step(subject: Subject) -> Iterator[Finding]:
    """Reports feature maps that are slightly wider than a step of the device's hardware."""
    pixel_channels = _pixel_channels(subject)
    convolutions = [op for op in subject.model.operators if _is_ungrouped_conv(op)]
    for width in sorted({_channels(op) for op in convolutions} - pixel_channels):
        step = _step_around(subject.width_ms, width)
        if step is None:
            continue
        below, above, saved = step
        same_width = [op for op in convolutions if _channels(op) == width]
        slowest = max(same_width, key=lambda op: subject.ms(op) or 0)
        yield Finding(
            Severity.WARNING, Problem.CHANNELS, name_of(slowest), slowest.kind,
            saved * sum(subject.ms(op) or 0 for op in same_width),
            f"{width} channels (here and in {len(same_width) - 1} more) take as long as {above}",
            f"take {below} channels, {saved:.0%} less time; or {above}, in the same time",
        )  # fmt: skip


def _step_around(
    width_ms: Callable[[int], float | None], width: int
) -> tuple[int, int, float] | None:
    """Returns the steps below and above ``width``, and the share of time that the lower one saves.

    None unless ``width`` is nearer to the lower step and takes as long as the upper one.
    """
    for step in _HARDWARE_STEPS:
        below = width // step * step
        above = below + step
        if below == 0 or not 0 < width - below <= step / 2:
            continue
        low, given, high = (width_ms(channels) for channels in (below, width, above))
        if low is None or given is None or high is None:
            return None
        if high <= _EQUAL_TIME_RATIO * given and low <= _FASTER_TIME_RATIO * given:
            return below, above, 1 - low / given
    return None


def _pixel_channels(subject: Subject) -> frozenset[int]:
    """Returns the numbers of channels of tensors that become pixels: the scale determines them."""
    pixels = filter(makes_pixels, subject.model.operators)
    tensors = (*(op.inputs[0] for op in pixels if op.inputs), *subject.model.outputs)
    return frozenset(tensor.shape[-1] for tensor in tensors if tensor is not None and tensor.shape)


def _is_ungrouped_conv(operator: TfliteOperator) -> bool:
    """Returns whether it is a convolution without groups and of at most ``_MAX_CHANNELS``."""
    if operator.kind != "CONV_2D" or len(operator.inputs) < 2:
        return False
    source, weights = operator.inputs[:2]
    if source is None or weights is None or not operator.outputs[0].shape:
        return False
    return source.shape[-1:] == weights.shape[-1:] and _channels(operator) <= _MAX_CHANNELS


def _channels(operator: TfliteOperator) -> int:
    return operator.outputs[0].shape[-1]
