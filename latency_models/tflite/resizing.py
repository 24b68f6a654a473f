"""Adapts a model to images of another size: rewrites the constants that hold sizes."""

from __future__ import annotations

from search_spaces import InputError, InputSpec

from .axes import Dimensions, refusal
from .file import TfliteOperator, open_tflite, read_tflite
from .fixed_size import fix_sizes
from .kinds import ELEMENTWISE
from .tiling import dimensions_of

#: kind -> position of the input that holds sizes of the result, and the dimensions it describes
_SIZE_INPUTS = {
    "RESHAPE": (1, slice(None)),
    "TRANSPOSE_CONV": (0, slice(None)),
    "RESIZE_BILINEAR": (1, slice(1, 3)),
    "RESIZE_NEAREST_NEIGHBOR": (1, slice(1, 3)),
    "STRIDED_SLICE": (2, slice(None)),
}
#: Kinds without a constant that depends on the image's size.
_SIZE_INDEPENDENT = ELEMENTWISE | {
    "CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D", "AVERAGE_POOL_2D", "DEPTH_TO_SPACE",
    "SPACE_TO_DEPTH", "CONCATENATION", "SPLIT", "SPLIT_V", "PAD", "SOFTMAX",
}  # fmt: skip


def resized(data: bytes, size: InputSpec) -> bytes | None:
    """Adapts the static model ``data``, which takes one image, to images of ``size``.

    Returns None if that is impossible: the model holds sizes whose meaning is unknown, or the
    interpreter refuses the new ones. Runs in a worker.
    """
    try:
        return fix_sizes(_with_resized_constants(data, size), size, strict=False)
    except InputError:
        return None


def _with_resized_constants(data: bytes, size: InputSpec) -> bytes:
    """Rewrites the size constants for ``size``; InputError if an operator prevents that."""
    model, changed = read_tflite(data), bytearray(data)
    known, before = dimensions_of(model), model.inputs[0].shape[1:3]
    file, written = open_tflite(changed), dict[int, tuple[int, ...]]()
    graph = file.Subgraphs(0)
    for index, operator in enumerate(model.operators):
        dimensions = known.get(operator.outputs[0].name)
        if dimensions is None or operator.kind in _SIZE_INDEPENDENT:
            continue
        sizes = _resized_constants(operator, dimensions, before, (size.height, size.width))
        position, _ = _SIZE_INPUTS[operator.kind]
        buffer = graph.Tensors(graph.Operators(index).Inputs(position)).Buffer()
        if written.setdefault(buffer, sizes) != sizes:
            raise refusal(operator, "shares its sizes with an operator that would need others")
        file.Buffers(buffer).DataAsNumpy().view("<i4")[:] = sizes
    return bytes(changed)


def _resized_constants(
    operator: TfliteOperator,
    dimensions: Dimensions,
    before: tuple[int, ...],
    after: tuple[int, int],
) -> tuple[int, ...]:
    """Returns the operator's size constants after the image's sides change to ``after``."""
    if operator.kind not in _SIZE_INPUTS:
        raise refusal(operator, "may hold sizes of the image")
    position, of = _SIZE_INPUTS[operator.kind]
    tensor = operator.inputs[position] if position < len(operator.inputs) else None
    if tensor is None or tensor.dtype != "int32" or len(tensor.values) != len(dimensions[of]):
        raise refusal(operator, "holds no sizes as constants of 32 bits")
    sizes: list[int] = []
    for value, dimension in zip(tensor.values, dimensions[of], strict=True):
        if dimension is None or value < 1:  # not along the image, or -1: the rest
            sizes.append(value)
            continue
        pixels = dimension.count * dimension.axis.rate
        size = pixels * after[dimension.side]
        if value != pixels * before[dimension.side] or size.denominator > 1:
            raise refusal(operator, "makes a size that is not in proportion to the image's")
        sizes.append(int(size))
    return tuple(sizes)
