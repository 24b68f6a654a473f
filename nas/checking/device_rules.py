"""Rules about speed and about a device's operators; what is slow is told by its latencies."""

from __future__ import annotations

from collections.abc import Iterator

from latency_models import WeightGranularity
from latency_models.tflite.kinds import ACTIVATIONS
from latency_models.tflite.requests import TfliteOperator

from .finding import Finding, Problem, Severity
from .subject import CLIPS, CONVOLUTIONS, Subject, makes_pixels, name_of

_FUSE = "use ReLU after a convolution: it is fused and costs nothing"
_REPEAT = "repeat the image by a fixed convolution 1x1 of ones and zeros, as NCNet does"
_CONVOLVE = "replace it by a convolution, if you can"
_ENLARGE = "enlarge by a convolution and DEPTH_TO_SPACE"
#: Operators that compute next to nothing, and what to put in their place.
_INSTEAD = {
    "CONCATENATION": f"add, or make all channels by one convolution; or {_REPEAT}",
    "TILE": _REPEAT,
    "RESIZE_NEAREST_NEIGHBOR": _ENLARGE,
    "RESIZE_BILINEAR": f"{_ENLARGE}; in INT8 it is also many levels off TensorFlow's own",
    "QUANTIZE": "take int8 at both ends, and join only tensors of one scale",
    **dict.fromkeys(ACTIVATIONS, _FUSE),
}
#: Off the convolutions' engine on most NPUs; the others may cost nothing.
_USUALLY_SLOW = frozenset(_INSTEAD) - {"CONCATENATION", "QUANTIZE"}
_SHUFFLE = "DEPTH_TO_SPACE"
#: What makes the same pixels.
_SHUFFLE_BY_ROWS = frozenset({"CONV_2D", "CONCATENATION", "RESHAPE"})
#: Share of the CPU beside an NPU from which on the device is no good for the model.
_MOST_OF_THE_TIME = 0.5
#: Beside convolutions, an operator with a smaller share of the time is not worth a change.
_NOTABLE_SHARE = 0.05


def unsupported(subject: Subject) -> Iterator[Finding]:
    """Operators that the device does not support."""
    target = subject.target
    if target is None or target.operators is None:
        return
    for operator in subject.model.operators:
        if operator.kind not in target.operators:
            what = f"{target.name} does not take {operator.kind}"
            advice = _instead(operator) or f"use {', '.join(sorted(target.operators))}"
            yield _finding(Severity.ERROR, Problem.UNSUPPORTED, subject, operator, what, advice)


def granularity(subject: Subject) -> Iterator[Finding]:
    """Weights with a scale for each channel, where the device takes one for all."""
    target = subject.target
    if target is None or target.weights is not WeightGranularity.TENSOR:
        return
    for operator in subject.model.operators:
        scales = max(
            (len(t.scales) for t in filter(None, operator.inputs) if t.constant), default=0
        )
        if operator.kind in CONVOLUTIONS and scales > 1:
            what = f"its weights have {scales} scales; {target.name} takes one"
            advice = "quantize weights per tensor (`nas export` does, for this device)"
            yield _finding(Severity.ERROR, Problem.GRANULARITY, subject, operator, what, advice)


def clips(subject: Subject) -> Iterator[Finding]:
    """The output held in range by operators, before or behind its DEPTH_TO_SPACE."""
    for operator in subject.model.operators:
        if _is_clip(subject, operator):
            size = "x".join(map(str, operator.outputs[0].shape[1:]))
            what = f"clips at {size}, {_where(subject, operator)}"
            advice = "leave it out: the output's INT8 range 0..255 clips by itself"
            yield _finding(Severity.WARNING, Problem.CLIP, subject, operator, what, advice)


def fallbacks(subject: Subject) -> Iterator[Finding]:
    """What an NPU leaves to the processor beside it."""
    much = subject.cpu_share >= _MOST_OF_THE_TIME
    for operator in subject.model.operators:
        if subject.falls_back(operator) and not _is_clip(subject, operator):
            severity, advice = Severity.WARNING, _instead_of_cpu(subject, operator)
            if operator.kind == _SHUFFLE and not much:
                severity = Severity.NOTE
            what = "falls back to the CPU"
            if much:
                what += f", which takes {subject.cpu_share:.0%} of the model's time"
            yield _finding(severity, Problem.FALLBACK, subject, operator, what, advice)


def _instead_of_cpu(subject: Subject, operator: TfliteOperator) -> str:
    """What the NPU can do in place of ``operator``, which it leaves to the CPU."""
    if operator.kind == "TRANSPOSE_CONV":
        return _ENLARGE
    if operator.kind != _SHUFFLE:
        return _instead(operator) or _CONVOLVE
    operators = subject.target.operators if subject.target else None
    if operators is not None and not operators >= _SHUFFLE_BY_ROWS:
        return "take a device whose NPU takes it; every such network needs it"
    return (
        f"write the convolution before it as {operator.size} convolutions, each making the "
        "channels of one row of every block; join them by a CONCATENATION along the columns and a "
        "RESHAPE to the image: the same pixels without the CPU (deployment `pixel_shuffle = rows`)"
    )


def _instead(operator: TfliteOperator) -> str | None:
    """What to put in the place of ``operator`` where it is slow."""
    channels = len(operator.outputs[0].shape) - 1
    joins_pixels = operator.kind == "CONCATENATION" and operator.axis not in (-1, channels)
    if joins_pixels or (operator.kind == "RESHAPE" and makes_pixels(operator)):
        return _ENLARGE
    return _INSTEAD.get(operator.kind)


def slow_operators(subject: Subject) -> Iterator[Finding]:
    """Concatenations, resizes and unfused activations: dear on the device, or on most others."""
    for operator in subject.model.operators:
        advice = _instead(operator)
        if advice is None or _is_clip(subject, operator) or subject.falls_back(operator):
            continue
        severity = _slowness(subject, operator)
        if severity is not None:
            what = _where(subject, operator)
            yield _finding(severity, Problem.SLOW_OPERATOR, subject, operator, what, advice)


def _slowness(subject: Subject, operator: TfliteOperator) -> Severity | None:
    """A warning if the operator is slow on this device, else a note."""
    usually = operator.kind in _USUALLY_SLOW
    row, latency = subject.row(operator), subject.latency
    if row is None or latency is None:
        return Severity.WARNING if usually else None
    aside = row.engine != subject.main_engine
    if row.ms and (aside or row.ms >= _NOTABLE_SHARE * latency.ms):
        return Severity.WARNING
    return Severity.NOTE if usually or aside else None


def _is_clip(subject: Subject, operator: TfliteOperator) -> bool:
    return operator.kind in CLIPS and subject.is_last(operator)


def _where(subject: Subject, operator: TfliteOperator) -> str:
    row, latency = subject.row(operator), subject.latency
    if row is None or latency is None:
        return "is slow on most NPUs"
    return f"on the device's engine {row.engine!r}, {row.ms / latency.ms:.0%} of the time"


def _finding(
    severity: Severity,
    problem: Problem,
    subject: Subject,
    operator: TfliteOperator,
    what: str,
    advice: str,
) -> Finding:
    ms = subject.ms(operator)
    return Finding(severity, problem, name_of(operator), operator.kind, ms, what, advice)
