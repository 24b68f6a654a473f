"""What a model file must be to go further: each check has its own message."""

from __future__ import annotations

import math
from dataclasses import dataclass

from search_spaces import InputError, InputSpec

from .tflite_file import TfliteModel, TfliteOperator, TfliteTensor

_QUANTISED = frozenset({"int4", "int8", "uint8", "int16"})
_INTEGERS = _QUANTISED | {"uint16", "int32", "uint32", "int64", "bool"}
#: dtype -> the byte that stands for grey level 0
_BLACK = {"uint8": 0, "int8": -128}
#: Scales at both ends may differ by this part: a quarter of a level at level 255.
_SCALE_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Levels:
    """How grey levels are stored at both ends of a model: level g is byte g + ``black``."""

    #: "int8" or "uint8"
    dtype: str
    black: int


@dataclass(frozen=True)
class SuperResolution:
    """How images go into a model and come out."""

    input: InputSpec
    scale: int
    levels: Levels


def require_static(model: TfliteModel) -> None:
    """Every activation has its full shape; InputError names the first that has not."""
    for tensor in model.inputs:
        if tensor.dynamic:
            raise InputError(
                f"input {tensor.name!r} has the open shape {tensor.shape}; "
                "take a file of one static size and batch 1, or export one"
            )
    for operator in model.operators:
        for tensor in _activations(operator):
            if tensor.dynamic:
                raise InputError(
                    f"{operator.label}: tensor {tensor.name!r} has the open shape {tensor.shape}; "
                    "take a file of one static size and batch 1, or export one"
                )


def require_integer_only(model: TfliteModel) -> None:
    """Nothing is computed in floating point; InputError names the operator and the tensor."""
    for operator in model.operators:
        for tensor in (*filter(None, operator.inputs), *operator.outputs):
            if tensor.dtype not in _INTEGERS:
                raise InputError(
                    f"not integer-only: {operator.label} uses {tensor.dtype} tensor "
                    f"{tensor.name!r}; quantise weights, activations, input and output to INT8"
                )
        for tensor in _activations(operator):
            if tensor.dtype in _QUANTISED and not tensor.scales:
                raise InputError(
                    f"not quantised: {operator.label} uses {tensor.dtype} tensor {tensor.name!r} "
                    "without a scale; convert the model again with quantisation"
                )


def require_one_image(model: TfliteModel) -> InputSpec:
    """The size of the only input, one image (1, H, W, C) of fixed size; InputError otherwise."""
    require_static(model)
    height, width, _ = _image_shape(_only(model.inputs, "input"), "input")
    return InputSpec(height, width)


def require_super_resolution(model: TfliteModel) -> SuperResolution:
    """One RGB image in, the same larger out, in levels at both ends; InputError otherwise."""
    spec = require_one_image(model)
    source, result = _only(model.inputs, "input"), _only(model.outputs, "output")
    height, width, channels = _image_shape(result, "output")
    for tensor, end, depth in ((source, "input", source.shape[3]), (result, "output", channels)):
        if depth != 3:
            raise InputError(f"{end} {tensor.name!r} has {depth} channels, not the 3 of RGB")
    scale = height // spec.height
    if scale < 1 or (height, width) != (scale * spec.height, scale * spec.width):
        raise InputError(f"a {spec} image becomes {height}x{width}: that is no whole scale")
    return SuperResolution(spec, scale, require_levels(model))


def require_levels(model: TfliteModel) -> Levels:
    """One tensor in and one out, in the same grey levels; InputError otherwise."""
    source, result = _only(model.inputs, "input"), _only(model.outputs, "output")
    for tensor, end in ((source, "input"), (result, "output")):
        if tensor.dtype not in _BLACK:
            raise InputError(f"{end} {tensor.name!r} is {tensor.dtype}; it must be int8 or uint8")
        scales = tensor.scales
        if not (len(scales) == 1 and 0 < scales[0] < math.inf):
            raise InputError(f"{end} {tensor.name!r} has scales {scales}; it needs a positive one")
        if tensor.zero_points != (_BLACK[tensor.dtype],):
            raise InputError(
                f"{end} {tensor.name!r} has zero points {tensor.zero_points}; "
                f"for {tensor.dtype} levels it is {_BLACK[tensor.dtype]}"
            )
    if source.dtype != result.dtype:
        raise InputError(f"input is {source.dtype} and output {result.dtype}; make them the same")
    if not math.isclose(source.scales[0], result.scales[0], rel_tol=_SCALE_TOLERANCE):
        raise InputError(
            f"input scale {source.scales[0]:g} and output scale {result.scales[0]:g} differ: "
            "a level does not stay a level; quantise both to the same range"
        )
    return Levels(source.dtype, _BLACK[source.dtype])


def _only(tensors: tuple[TfliteTensor, ...], end: str) -> TfliteTensor:
    if len(tensors) != 1:
        raise InputError(f"the model has {len(tensors)} {end}s; it must have exactly one")
    return tensors[0]


def _image_shape(tensor: TfliteTensor, end: str) -> tuple[int, int, int]:
    if len(tensor.shape) != 4 or tensor.shape[0] != 1 or min(tensor.shape) < 1:
        raise InputError(
            f"{end} {tensor.name!r} has shape {tensor.shape}; it must be one image (1, H, W, C)"
        )
    return tensor.shape[1], tensor.shape[2], tensor.shape[3]


def _activations(operator: TfliteOperator) -> tuple[TfliteTensor, ...]:
    tensors = (*filter(None, operator.inputs), *operator.outputs)
    return tuple(tensor for tensor in tensors if not tensor.constant)
