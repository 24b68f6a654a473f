"""Rules about the operators that a device supports, and about slow ones, judged by latencies."""

from __future__ import annotations

from collections.abc import Iterator

from latency_models import WeightGranularity
from latency_models.tflite.kinds import ACTIVATIONS
from latency_models.tflite.requests import TfliteOperator

from .finding import Finding, Problem, Severity
from .subject import CLIPS, CONVOLUTIONS, Subject, makes_pixels, name_of

_FUSE_ADVICE = "use ReLU after a convolution: it is fused and costs nothing"
_REPEAT_ADVICE = "repeat the image by a fixed convolution 1x1 of ones and zeros, as NCNet does"
_CONVOLUTION_ADVICE = "replace it by a convolution, if you can"
_ENLARGE_ADVICE = "enlarge by a convolution and DEPTH_TO_SPACE"
#: Operators that compute little but may be slow -> advice on what to use instead.
_REPLACEMENT_ADVICE = {
    "CONCATENATION": f"add, or make all channels by one convolution; or {_REPEAT_ADVICE}",
    "TILE": _REPEAT_ADVICE,
    "RESIZE_NEAREST_NEIGHBOR": _ENLARGE_ADVICE,
    "RESIZE_BILINEAR": f"{_ENLARGE_ADVICE}; in INT8 it also has errors of many levels",
    "QUANTIZE": "use int8 input and output, and join only tensors of equal scale",
    **dict.fromkeys(ACTIVATIONS, _FUSE_ADVICE),
}
#: Most NPUs do not run these on the engine of the convolutions; the others may cost nothing.
_USUALLY_SLOW = frozenset(_REPLACEMENT_ADVICE) - {"CONCATENATION", "QUANTIZE"}
_PIXEL_SHUFFLE = "DEPTH_TO_SPACE"
#: Operators that together make the same pixels as DEPTH_TO_SPACE.
_ROW_SHUFFLE_KINDS = frozenset({"CONV_2D", "CONCATENATION", "RESHAPE"})
#: From this share of the CPU in the model's time on, a DEPTH_TO_SPACE on the CPU is a warning, too.
_LARGE_CPU_SHARE = 0.5
#: Share of the time below which an operator on the main engine is not worth a change.
_NOTABLE_SHARE = 0.05


def unsupported(subject: Subject) -> Iterator[Finding]:
    """Reports operators that the device does not support."""
    target = subject.target
    if target is None or target.operators is None:
        return
    for operator in subject.model.operators:
        if operator.kind not in target.operators:
            what = f"{target.name} does not take {operator.kind}"
            advice = _replacement_advice(operator) or f"use {', '.join(sorted(target.operators))}"
            yield _finding(Severity.ERROR, Problem.UNSUPPORTED, subject, operator, what, advice)


def granularity(subject: Subject) -> Iterator[Finding]:
    """Reports weights with a scale for each channel, if the device needs one scale a tensor."""
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
    """Reports operators that clip the output, before or after its DEPTH_TO_SPACE."""
    for operator in subject.model.operators:
        if _is_output_clip(subject, operator):
            result = operator.outputs[0]
            sides = zip(result.shape, result.open_sides, strict=True)
            size = "x".join(["?" if is_open else str(side) for side, is_open in sides][1:])
            what = f"clips at {size}, {_time_share_text(subject, operator)}"
            advice = "leave it out: the output's INT8 range already clips to 0..255"
            yield _finding(Severity.WARNING, Problem.CLIP, subject, operator, what, advice)


def fallbacks(subject: Subject) -> Iterator[Finding]:
    """Reports operators that the NPU leaves to the CPU."""
    is_large_share = subject.cpu_share >= _LARGE_CPU_SHARE
    for operator in subject.model.operators:
        if subject.falls_back(operator) and not _is_output_clip(subject, operator):
            severity, advice = Severity.WARNING, _fallback_advice(subject, operator)
            if operator.kind == _PIXEL_SHUFFLE and not is_large_share:
                severity = Severity.NOTE
            what = "falls back to the CPU"
            if is_large_share:
                what += f", which takes {subject.cpu_share:.0%} of the model's time"
            yield _finding(severity, Problem.FALLBACK, subject, operator, what, advice)


def _fallback_advice(subject: Subject, operator: TfliteOperator) -> str:
    """Returns advice on what the NPU can run instead of ``operator``."""
    if operator.kind == "TRANSPOSE_CONV":
        return _ENLARGE_ADVICE
    if operator.kind != _PIXEL_SHUFFLE:
        return _replacement_advice(operator) or _CONVOLUTION_ADVICE
    operators = subject.target.operators if subject.target else None
    if operators is not None and not operators >= _ROW_SHUFFLE_KINDS:
        return "choose a device whose NPU supports it; every such network needs it"
    return (
        f"write the convolution before it as {operator.size} convolutions, each making the "
        "channels of one row of every block; join them by a CONCATENATION along the columns and a "
        "RESHAPE to the image: the same pixels without the CPU (deployment `pixel_shuffle = rows`)"
    )


def _replacement_advice(operator: TfliteOperator) -> str | None:
    """Returns advice on what to use instead of a slow ``operator``; None if it is rarely slow."""
    channels = len(operator.outputs[0].shape) - 1
    joins_pixels = operator.kind == "CONCATENATION" and operator.axis not in (-1, channels)
    if joins_pixels or (operator.kind == "RESHAPE" and makes_pixels(operator)):
        return _ENLARGE_ADVICE
    return _REPLACEMENT_ADVICE.get(operator.kind)


def slow_operators(subject: Subject) -> Iterator[Finding]:
    """Reports operators such as resizes and unfused activations, slow on this or most devices."""
    for operator in subject.model.operators:
        advice = _replacement_advice(operator)
        if advice is None or _is_output_clip(subject, operator) or subject.falls_back(operator):
            continue
        severity = _slowness_severity(subject, operator)
        if severity is not None:
            what = _time_share_text(subject, operator)
            yield _finding(severity, Problem.SLOW_OPERATOR, subject, operator, what, advice)


def _slowness_severity(subject: Subject, operator: TfliteOperator) -> Severity | None:
    """Returns the severity: a warning if it is slow on this device, a note if only on others.

    Without latencies, a warning if it is slow on most NPUs. None if there is nothing to report.
    """
    usually_slow = operator.kind in _USUALLY_SLOW
    row, latency = subject.row(operator), subject.latency
    if row is None or latency is None:
        return Severity.WARNING if usually_slow else None
    is_off_main_engine = row.engine != subject.main_engine
    if row.ms and (is_off_main_engine or row.ms >= _NOTABLE_SHARE * latency.ms):
        return Severity.WARNING
    return Severity.NOTE if usually_slow or is_off_main_engine else None


def _is_output_clip(subject: Subject, operator: TfliteOperator) -> bool:
    return operator.kind in CLIPS and subject.feeds_only_output(operator)


def _time_share_text(subject: Subject, operator: TfliteOperator) -> str:
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
