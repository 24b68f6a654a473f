"""Rules about the file alone: integer-only operators, fixed sizes, and bytes that are grey levels.

Floating point and wrong scales cost four entries of the Mobile AI 2021 challenge 4 to 13 dB
(Ignatov et al., arXiv:2105.07825, table 1 and section 3.1).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from latency_models.tflite.requests import TfliteOperator, TfliteTensor

from .finding import Finding, Problem, Severity
from .subject import Subject, activations, name_of

_FLOAT_DTYPES = frozenset({"float16", "bfloat16", "float32", "float64"})
#: dtype -> the bytes of grey levels 0 and 255
_GREY_BYTES = {"int8": (-128, 127), "uint8": (0, 255)}
_WIDE_DTYPES = frozenset({"int16", "uint16"})
_CONVERSION_KINDS = frozenset({"QUANTIZE", "DEQUANTIZE"})
#: Deviation, in grey levels, within which black and white are correct.
_LEVEL_TOLERANCE = 0.25
#: Smallest scale that is valid: real value of one step of a byte.
_SMALLEST_SCALE = 1e-12


def float_operators(subject: Subject) -> Iterator[Finding]:
    """Reports operators that compute in floating point, and conversions from or to it."""
    for operator in subject.model.operators:
        dtypes = sorted({t.dtype for t in activations(operator) if t.dtype in _FLOAT_DTYPES})
        if not dtypes:
            continue
        problem, advice = Problem.FLOAT, _float_advice(subject, operator)
        what = f"computes in {dtypes[0]}"
        if operator.kind in _CONVERSION_KINDS:
            what = f"converts from or to {dtypes[0]}"
        elif any(t.constant and t.dtype in _GREY_BYTES for t in filter(None, operator.inputs)):
            problem = Problem.DYNAMIC_RANGE
            what = f"has INT8 weights, but computes in {dtypes[0]} (dynamic range)"
        yield _error(problem, subject, operator, what, advice)


def _float_advice(subject: Subject, operator: TfliteOperator) -> str:
    ends = {tensor.name for tensor in (*subject.model.inputs, *subject.model.outputs)}
    if any(t.name in ends and t.dtype in _FLOAT_DTYPES for t in activations(operator)):
        return "convert with int8 input and output (inference_input_type, inference_output_type)"
    return "quantize its inputs and its output: each needs a range, by fake-quant or calibration"


def wide_integers(subject: Subject) -> Iterator[Finding]:
    """Reports activations of 16 bits: such a model is not INT8, even if a device runs it."""
    for operator in subject.model.operators:
        dtypes = sorted({t.dtype for t in activations(operator) if t.dtype in _WIDE_DTYPES})
        if dtypes:
            what = f"computes in {dtypes[0]}"
            advice = "convert with INT8 activations (TFLITE_BUILTINS_INT8), not 16x8"
            yield _error(Problem.INT16, subject, operator, what, advice)


def quantized_tensors(subject: Subject) -> Iterator[Finding]:
    """Reports INT8 tensors without a scale, whose real values are unknown."""
    for operator in subject.model.operators:
        for tensor in activations(operator):
            if tensor.dtype in _GREY_BYTES and not tensor.scales:
                what = f"{tensor.dtype} tensor {tensor.title} has no scale"
                advice = "convert the model again with quantization"
                yield _error(Problem.NOT_QUANTIZED, subject, operator, what, advice)


def open_shapes(subject: Subject) -> Iterator[Finding]:
    """Reports the first tensor of unknown size; devices, unlike desktops, need fixed sizes."""
    if subject.target is None:
        return
    for operator in subject.model.operators:
        for tensor in activations(operator):
            if tensor.dynamic:
                what = f"tensor {tensor.title} has the open shape {tensor.shape_text}"
                advice = "export the model with a fixed size and batch 1"
                yield _error(Problem.OPEN_SHAPE, subject, operator, what, advice)
                return  # one finding is enough


def levels(subject: Subject) -> Iterator[Finding]:
    """Reports input and output bytes that are not grey levels (g as byte g; int8: g - 128)."""
    model = subject.model
    images = [t for t in (*model.inputs, *model.outputs) if len(t.shape) == 4]
    if len(images) != 2 or not all(tensor.dtype in _GREY_BYTES for tensor in images):
        return
    last = next((op for op in model.operators if images[1] in op.outputs), model.operators[-1])
    for tensor in images:
        if not _has_one_scale(tensor):
            what = f"{tensor.title} has scales {tensor.scales} and zero points {tensor.zero_points}"
            advice = "give each end one scale, above zero, and one zero point"
            yield _error(Problem.LEVELS, subject, last, what, advice)
            return
    what = _level_mismatch(*images)
    if what:
        advice = (
            "quantize input and output to one range, black to white: fake-quant 0..255 as the last "
            "operator, or a clip to that range"
        )
        yield _error(Problem.LEVELS, subject, last, what, advice)


def _level_mismatch(source: TfliteTensor, result: TfliteTensor) -> str:
    """Returns how the bytes differ from grey levels 0 to 255, the same at both ends, or ''."""
    (low, _), (low_out, high_out) = map(_real_range, (source, result))
    (level,) = source.scales
    black, white = ((value - low) / level for value in (low_out, high_out))
    if abs(low) > _LEVEL_TOLERANCE * level:
        byte = _GREY_BYTES[source.dtype][0] - low / level
        return f"black goes in as byte {byte:.0f} of {source.dtype}"
    if max(abs(black), abs(white - 255)) > _LEVEL_TOLERANCE:
        return f"output bytes stand for grey levels {black:.1f} to {white:.1f}, not 0 to 255"
    if source.dtype != result.dtype:
        return f"grey levels go in as {source.dtype} and come out as {result.dtype}"
    return ""


def _has_one_scale(tensor: TfliteTensor) -> bool:
    one_each = len(tensor.scales) == len(tensor.zero_points) == 1
    return one_each and _SMALLEST_SCALE < tensor.scales[0] < math.inf


def _real_range(tensor: TfliteTensor) -> tuple[float, float]:
    """Returns the real values of the darkest and the brightest byte."""
    (scale,), (zero,) = tensor.scales, tensor.zero_points
    low, high = ((byte - zero) * scale for byte in _GREY_BYTES[tensor.dtype])
    return low, high


def _error(
    problem: Problem, subject: Subject, operator: TfliteOperator, what: str, advice: str
) -> Finding:
    return Finding(
        Severity.ERROR, problem, name_of(operator), operator.kind, subject.ms(operator), what,
        advice,
    )  # fmt: skip
