"""Rules about speed, and about what a device takes; its own times say what is dear."""

from __future__ import annotations

from collections.abc import Iterator

from latency_models import WeightGranularity
from latency_models.tflite.kinds import ACTIVATIONS
from latency_models.tflite.requests import TfliteOperator

from .finding import Finding, Problem, Severity
from .subject import CLIPS, CONVOLUTIONS, Subject, name_of

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
#: Where the CPU does what the NPU could do as something else.
_INSTEAD_OF_CPU = {**_INSTEAD, "TRANSPOSE_CONV": _ENLARGE}
#: Off the convolutions' engine on most NPUs; the others may cost nothing.
_USUALLY_SLOW = frozenset(_INSTEAD) - {"CONCATENATION", "QUANTIZE"}
#: No fast super-resolution network is without it.
_UNAVOIDABLE = "DEPTH_TO_SPACE"
#: Share of the CPU beside an NPU from which on the device is no good for the model.
_MOST_OF_THE_TIME = 0.5
#: Beside convolutions, an operator with a smaller share of the time is not worth a change.
_NOTABLE_SHARE = 0.05


def unsupported(subject: Subject) -> Iterator[Finding]:
    """Operators that the device does not take at all."""
    target = subject.target
    if target is None or target.operators is None:
        return
    for operator in subject.model.operators:
        if operator.kind not in target.operators:
            what = f"{target.name} does not take {operator.kind}"
            advice = _INSTEAD.get(operator.kind, f"use {', '.join(sorted(target.operators))}")
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
            severity, advice = Severity.WARNING, _INSTEAD_OF_CPU.get(operator.kind, _CONVOLVE)
            if operator.kind == _UNAVOIDABLE:
                advice = "nothing to do: every such network needs it"
                if much:
                    advice = "take a device whose NPU takes it; every such network needs it"
                else:
                    severity = Severity.NOTE
            what = "falls back to the CPU"
            if much:
                what += f", which takes {subject.cpu_share:.0%} of the model's time"
            yield _finding(severity, Problem.FALLBACK, subject, operator, what, advice)


def slow_operators(subject: Subject) -> Iterator[Finding]:
    """Concatenations, resizes and unfused activations: dear on the device, or on most others."""
    for operator in subject.model.operators:
        told = _is_clip(subject, operator) or subject.falls_back(operator)
        severity = None if told else _slowness(subject, operator)
        if severity is not None:
            what, advice = _where(subject, operator), _INSTEAD[operator.kind]
            yield _finding(severity, Problem.SLOW_OPERATOR, subject, operator, what, advice)


def _slowness(subject: Subject, operator: TfliteOperator) -> Severity | None:
    """A warning for what is dear here; a note for what is dear elsewhere, or hidden beside."""
    usually = operator.kind in _USUALLY_SLOW
    row, latency = subject.row(operator), subject.latency
    if row is None or latency is None:
        return Severity.WARNING if usually else None
    if operator.kind not in _INSTEAD:
        return None
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
