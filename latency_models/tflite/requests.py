"""Makes lowered operators and latency requests from TFLite files."""

from __future__ import annotations

import hashlib
import math

from search_spaces import InputError, InputSpec, LoweredOperator, Shape, Tensor, transposed_window

from ..source import LatencyError, LatencyRequest, WeightGranularity
from .checks import (
    Levels,
    SuperResolution,
    require_integer_only,
    require_levels,
    require_one_image,
    require_rgb,
    require_static,
    require_super_resolution,
    require_uncompiled,
)
from .file import TfliteModel, TfliteOperator, TfliteTensor, read_tflite
from .fixed_size import with_fixed_sizes
from .resizing import resized
from .tiling import tiling_of_model

__all__ = [
    "Levels",
    "SuperResolution",
    "TfliteModel",
    "TfliteOperator",
    "TfliteTensor",
    "operators_of",
    "operators_of_model",
    "read_tflite",
    "request_of_file",
    "require_integer_only",
    "require_levels",
    "require_one_image",
    "require_rgb",
    "require_same_operators",
    "require_static",
    "require_super_resolution",
    "require_uncompiled",
    "resized",
    "tiling_of_model",
    "weight_granularity",
    "with_fixed_sizes",
]  # fmt: skip

#: kind -> positions of the inputs that are parameters: kernel and bias, slopes, a constant operand
_PARAMETERS = {
    "CONV_2D": (1, 2), "DEPTHWISE_CONV_2D": (1, 2), "TRANSPOSE_CONV": (1, 3),
    "FULLY_CONNECTED": (1, 2), "PRELU": (1,), "ADD": (0, 1), "SUB": (0, 1), "MUL": (0, 1),
}  # fmt: skip
#: kind -> (position of the weights, number of their dimensions)
_WEIGHTS = {
    "CONV_2D": (1, 4), "DEPTHWISE_CONV_2D": (1, 4), "TRANSPOSE_CONV": (1, 4),
    "FULLY_CONNECTED": (1, 2),
}  # fmt: skip


def operators_of(data: bytes) -> tuple[LoweredOperator, ...]:
    """A lowered operator for each operator of a TFLite file, in the file's order.

    Operators of unknown kinds have 0 MACs. InputError if the file is damaged, a size is open, or an
    operator has no output.
    """
    return operators_of_model(read_tflite(data))


def operators_of_model(model: TfliteModel) -> tuple[LoweredOperator, ...]:
    """Like ``operators_of``, for a file that has been read."""
    require_static(model)
    return tuple(map(_lowered_operator, model.operators))


def request_of_file(
    name: str, data: bytes, spec: InputSpec | None = None, given: bytes | None = None
) -> LatencyRequest:
    """A request for an INT8 file with one input image; InputError if ``spec`` is another size.

    ``given`` is the user's file, if ``data`` is a copy of it with fixed sizes.
    """
    model = read_tflite(data)
    require_integer_only(model)
    size = require_one_image(model)
    if spec not in (None, size):
        raise InputError(f"it takes {size} images only, not {spec}; export it at that size")
    digest = "" if given is None or given == data else hashlib.sha256(given).hexdigest()
    return LatencyRequest(name, operators_of_model(model), size, lambda: data, given_sha256=digest)


def weight_granularity(model: TfliteModel) -> WeightGranularity:
    """CHANNEL if any weights have a scale for each output channel, else TENSOR."""
    weights = [
        operator.inputs[_WEIGHTS[operator.kind][0]]
        for operator in model.operators
        if operator.kind in _WEIGHTS and len(operator.inputs) > _WEIGHTS[operator.kind][0]
    ]
    if any(tensor is not None and len(tensor.scales) > 1 for tensor in weights):
        return WeightGranularity.CHANNEL
    return WeightGranularity.TENSOR


def require_same_operators(request: LatencyRequest, model: TfliteModel) -> None:
    """LatencyError unless ``model`` has the operators of the request in their order."""
    made = operators_of_model(model)
    if list(map(_compared_properties, made)) != list(map(_compared_properties, request.operators)):
        raise LatencyError(
            f"the converted file runs {_kinds_text(made)}, "
            f"its graph {_kinds_text(request.operators)}"
        )


def _compared_properties(operator: LoweredOperator) -> tuple[object, ...]:
    """Returns the properties in which two equal operators must agree; names may differ."""
    shapes = tuple(tensor.shape for tensor in operator.inputs + operator.outputs)
    return operator.kind, shapes, operator.macs, operator.window, operator.stride


def _kinds_text(operators: tuple[LoweredOperator, ...]) -> str:
    return " ".join(operator.kind for operator in operators)


def _lowered_operator(operator: TfliteOperator) -> LoweredOperator:
    if not operator.outputs:
        raise InputError(
            f"{operator.label} has no output, so that its cost is unknown; "
            "export the model again without variables and assignments"
        )
    inputs = tuple(t for t in operator.inputs if t is not None and not t.constant)
    return LoweredOperator(
        kind=operator.kind,
        name=operator.outputs[0].name,
        inputs=tuple(map(_activation_tensor, inputs)),
        outputs=tuple(map(_activation_tensor, operator.outputs)),
        macs=_macs(operator),
        window=_window(operator),
        stride=operator.stride,
        groups=_groups(operator, inputs),
        weight_bytes=_weight_bytes(operator),
    )


def _activation_tensor(tensor: TfliteTensor) -> Tensor:
    """Converts a tensor to (height, width, channels); further outer dimensions join the height."""
    shape: Shape = (
        math.prod(tensor.shape[:-2]),
        math.prod(tensor.shape[-2:-1]),
        math.prod(tensor.shape[-1:]),
    )
    return Tensor(tensor.name, shape)


def _weights_shape(operator: TfliteOperator) -> tuple[int, ...]:
    position, dimensions = _WEIGHTS[operator.kind]
    tensor = operator.inputs[position] if len(operator.inputs) > position else None
    if tensor is None or len(tensor.shape) != dimensions or min(tensor.shape) < 1:
        shape = "none" if tensor is None else f"of shape {tensor.shape}"
        raise InputError(f"{operator.label}: its weights are {shape}, not {dimensions}-dimensional")
    return tensor.shape


def _macs(operator: TfliteOperator) -> int:
    if operator.kind not in _WEIGHTS:
        return 0
    weights, output = _weights_shape(operator), operator.outputs[0]
    match operator.kind:
        case "DEPTHWISE_CONV_2D":
            return output.elements * weights[1] * weights[2]
        case "TRANSPOSE_CONV":
            # inputs: the output's shape, the weights, the image
            source = operator.inputs[2] if len(operator.inputs) > 2 else None
            if source is None:
                raise InputError(f"{operator.label} has no image to enlarge")
            return source.elements * math.prod(weights[:3])
    return output.elements * math.prod(weights[1:])


def _window(operator: TfliteOperator) -> int:
    match operator.kind:
        case "CONV_2D" | "DEPTHWISE_CONV_2D":
            return (max(_weights_shape(operator)[1:3]) - 1) * operator.dilation + 1
        case "TRANSPOSE_CONV":
            return transposed_window(max(_weights_shape(operator)[1:3]), operator.stride)
        case "MAX_POOL_2D" | "AVERAGE_POOL_2D":
            return operator.size
        case "SPACE_TO_DEPTH":
            return 2 * operator.size - 1
        case "RESIZE_BILINEAR":
            return 3
    return 1


def _groups(operator: TfliteOperator, inputs: tuple[TfliteTensor, ...]) -> int:
    if operator.kind != "CONV_2D" or not inputs:
        return 1
    return max(1, _activation_tensor(inputs[0]).shape[2] // _weights_shape(operator)[3])


def _weight_bytes(operator: TfliteOperator) -> int:
    """Counts parameters and biases as one byte each, like ``search_spaces.lower``."""
    positions = _PARAMETERS.get(operator.kind, ())
    tensors = [operator.inputs[i] for i in positions if i < len(operator.inputs)]
    return sum(t.elements for t in tensors if t is not None and t.constant)
