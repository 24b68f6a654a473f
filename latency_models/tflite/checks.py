"""Checks of TFLite files; each raises InputError with its own message."""

from __future__ import annotations

import math
from dataclasses import dataclass

from search_spaces import InputError, InputSpec

from .file import TfliteModel, TfliteOperator, TfliteTensor

_QUANTIZED = frozenset({"int4", "int8", "uint8"})
#: Types of tensors in integer-only models: values, biases, sizes and indices.
_INTEGERS = _QUANTIZED | {"int32", "uint32", "int64", "bool"}
#: Operators that mark compiled models -> their compiler.
_COMPILED = {
    "CUSTOM:ethos-u": "Vela, for an Arm Ethos-U",
    "CUSTOM:edgetpu-custom-op": "the Edge TPU's compiler",
    "CUSTOM:DISPATCH_OP": "LiteRT, ahead of time",
}
#: dtype -> the value that stores grey level 0
_BLACK_VALUES = {"uint8": 0, "int8": -128}
#: Largest relative difference between input and output scale: a quarter of a level at level 255.
_SCALE_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Levels:
    """Storage of grey levels 0 to 255 in input and output: level g has the value g + ``black``."""

    #: "int8" or "uint8"
    dtype: str
    black: int


@dataclass(frozen=True)
class SuperResolution:
    """Input size, scale and levels of a super-resolution model."""

    input: InputSpec
    scale: int
    levels: Levels


_STATIC_SIZE_HINT = "export it at one static size, or say one to `nas latency`: --input HxW"


def require_uncompiled(model: TfliteModel) -> None:
    """Raises InputError if the file was compiled for a device."""
    for operator in model.operators:
        if operator.kind in _COMPILED:
            raise InputError(
                f"compiled by {_COMPILED[operator.kind]} ({operator.kind}); "
                "give the TFLite file that it was compiled from"
            )


def require_static(model: TfliteModel) -> None:
    """Raises InputError for the first activation whose shape is not fixed."""
    for tensor in model.inputs:
        if tensor.dynamic:
            raise InputError(
                f"input {tensor.title} has the open shape {tensor.shape_text}; {_STATIC_SIZE_HINT}"
            )
    for operator in model.operators:
        for tensor in _activations(operator):
            if tensor.dynamic:
                raise InputError(
                    f"{operator.label}: tensor {tensor.title} has the open shape "
                    f"{tensor.shape_text}; {_STATIC_SIZE_HINT}"
                )


def require_integer_only(model: TfliteModel) -> None:
    """Raises InputError for the first tensor that is not INT8 (or another integer type)."""
    require_uncompiled(model)
    for operator in model.operators:
        for tensor in (*filter(None, operator.inputs), *operator.outputs):
            if tensor.dtype not in _INTEGERS:
                raise InputError(
                    f"not integer-only INT8: {operator.label} uses {tensor.dtype} tensor "
                    f"{tensor.title}; quantize weights, activations, input and output to INT8"
                )
        for tensor in _activations(operator):
            if tensor.dtype in _QUANTIZED and not tensor.scales:
                raise InputError(
                    f"not quantized: {operator.label} uses {tensor.dtype} tensor {tensor.title} "
                    "without a scale; convert the model again with quantization"
                )


def require_one_image(model: TfliteModel) -> InputSpec:
    """Returns the size of the only input; InputError unless it is one image (1, H, W, C)."""
    require_static(model)
    height, width, _ = _image_shape(_single(model.inputs, "input"), "input")
    return InputSpec(height, width)


def require_super_resolution(model: TfliteModel) -> SuperResolution:
    """Raises InputError unless the model enlarges one RGB image, and both images are in levels."""
    spec = require_one_image(model)
    result = _single(model.outputs, "output")
    height, width, _ = _image_shape(result, "output")
    require_rgb(model)
    scale = height // spec.height
    if scale < 1 or (height, width) != (scale * spec.height, scale * spec.width):
        raise InputError(f"a {spec} image becomes {height}x{width}: that is no whole scale")
    return SuperResolution(spec, scale, require_levels(model))


def require_rgb(model: TfliteModel) -> None:
    """Raises InputError unless the last dimension of input and output has three channels."""
    ends = (_single(model.inputs, "input"), "input"), (_single(model.outputs, "output"), "output")
    for tensor, end in ends:
        if len(tensor.shape) != 4 or tensor.shape[3] == 3:
            continue
        shape = f"{end} {tensor.title} has shape {tensor.shape_text}"
        if tensor.shape[3] == 1:
            raise InputError(
                f"{shape}: one channel, grey or Y of YCbCr, not the 3 of RGB; give a model of RGB"
            )
        if tensor.shape[1] == 3:
            raise InputError(
                f"{shape}: channels first; convert it to channels last, (1, height, width, 3)"
            )
        raise InputError(f"{shape}: {tensor.shape[3]} channels, not the 3 of RGB")


def require_levels(model: TfliteModel) -> Levels:
    """Returns the levels of input and output; InputError if they have none, or differ."""
    source, result = _single(model.inputs, "input"), _single(model.outputs, "output")
    for tensor, end in ((source, "input"), (result, "output")):
        if tensor.dtype not in _BLACK_VALUES:
            raise InputError(f"{end} {tensor.title} is {tensor.dtype}; it must be int8 or uint8")
        scales = tensor.scales
        if not (len(scales) == 1 and 0 < scales[0] < math.inf):
            raise InputError(f"{end} {tensor.title} has scales {scales}; it needs a positive one")
        if tensor.zero_points != (_BLACK_VALUES[tensor.dtype],):
            raise InputError(
                f"{end} {tensor.title} has zero points {tensor.zero_points}{_range_text(tensor)}; "
                f"grey levels begin at 0, zero point {_BLACK_VALUES[tensor.dtype]}: quantize both "
                "ends to the range 0 to 255 or 0 to 1, and let the model itself subtract and divide"
            )
    if source.dtype != result.dtype:
        raise InputError(f"input is {source.dtype} and output {result.dtype}; make them the same")
    if not math.isclose(source.scales[0], result.scales[0], rel_tol=_SCALE_TOLERANCE):
        raise InputError(
            f"input scale {source.scales[0]:g} and output scale {result.scales[0]:g} differ: "
            "a level does not stay a level; quantize both to the same range"
        )
    return Levels(source.dtype, _BLACK_VALUES[source.dtype])


def _range_text(tensor: TfliteTensor) -> str:
    """The range of real values of a tensor, for messages; empty without a single zero point."""
    if len(tensor.zero_points) != 1:
        return ""
    low, high = (
        (_BLACK_VALUES[tensor.dtype] + byte - tensor.zero_points[0]) * tensor.scales[0]
        for byte in (0, 255)
    )
    return f", the range {low:.4g} to {high:.4g}"


def _single(tensors: tuple[TfliteTensor, ...], end: str) -> TfliteTensor:
    if len(tensors) != 1:
        raise InputError(f"the model has {len(tensors)} {end}s; it must have exactly one")
    return tensors[0]


def _image_shape(tensor: TfliteTensor, end: str) -> tuple[int, int, int]:
    if len(tensor.shape) != 4 or tensor.shape[0] != 1 or min(tensor.shape) < 1:
        raise InputError(
            f"{end} {tensor.title} has shape {tensor.shape_text}; it must be one image (1, H, W, C)"
        )
    return tensor.shape[1], tensor.shape[2], tensor.shape[3]


def _activations(operator: TfliteOperator) -> tuple[TfliteTensor, ...]:
    tensors = (*filter(None, operator.inputs), *operator.outputs)
    return tuple(tensor for tensor in tensors if not tensor.constant)
