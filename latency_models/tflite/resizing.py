"""The same model for images of another size: constants that hold sizes are written anew."""

from __future__ import annotations

from search_spaces import InputError, InputSpec

from .axes import Dimensions, refusal
from .file import TfliteOperator, open_tflite, read_tflite
from .fixed_size import fix_sizes
from .kinds import ELEMENTWISE
from .tiling import dimensions_of

#: kind -> position of the input that holds sizes of the result, and which dimensions they are of
_SIZES = {
    "RESHAPE": (1, slice(None)),
    "TRANSPOSE_CONV": (0, slice(None)),
    "RESIZE_BILINEAR": (1, slice(1, 3)),
    "RESIZE_NEAREST_NEIGHBOR": (1, slice(1, 3)),
    "STRIDED_SLICE": (2, slice(None)),
}
#: Kinds without a constant that depends on the image's size.
_OF_ANY_SIZE = ELEMENTWISE | {
    "CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D", "AVERAGE_POOL_2D", "DEPTH_TO_SPACE",
    "SPACE_TO_DEPTH", "CONCATENATION", "SPLIT", "SPLIT_V", "PAD", "SOFTMAX",
}  # fmt: skip


def resized(data: bytes, size: InputSpec) -> bytes | None:
    """The static model ``data`` of one image, for images of ``size``.

    None if it cannot be had: there are sizes in it that cannot be told, or the interpreter refuses
    them. Runs in a worker.
    """
    try:
        return fix_sizes(_with_constants_for(data, size), size, strict=False)
    except InputError:
        return None


def _with_constants_for(data: bytes, size: InputSpec) -> bytes:
    """``data``, its operators' constants written for ``size``; InputError says which cannot be."""
    model, changed = read_tflite(data), bytearray(data)
    known, before = dimensions_of(model), model.inputs[0].shape[1:3]
    file, written = open_tflite(changed), dict[int, tuple[int, ...]]()
    graph = file.Subgraphs(0)
    for index, operator in enumerate(model.operators):
        dimensions = known.get(operator.outputs[0].name)
        if dimensions is None or operator.kind in _OF_ANY_SIZE:
            continue
        sizes = _in_proportion(operator, dimensions, before, (size.height, size.width))
        position, _ = _SIZES[operator.kind]
        buffer = graph.Tensors(graph.Operators(index).Inputs(position)).Buffer()
        if written.setdefault(buffer, sizes) != sizes:
            raise refusal(operator, "shares its sizes with an operator that would need others")
        file.Buffers(buffer).DataAsNumpy().view("<i4")[:] = sizes
    return bytes(changed)


def _in_proportion(
    operator: TfliteOperator,
    dimensions: Dimensions,
    before: tuple[int, ...],
    after: tuple[int, int],
) -> tuple[int, ...]:
    """The sizes that an operator holds, as the image's sides go from ``before`` to ``after``."""
    if operator.kind not in _SIZES:
        raise refusal(operator, "may hold sizes of the image")
    position, of = _SIZES[operator.kind]
    tensor = operator.inputs[position] if position < len(operator.inputs) else None
    if tensor is None or tensor.dtype != "int32" or len(tensor.values) != len(dimensions[of]):
        raise refusal(operator, "holds no sizes as constants of 32 bits")
    sizes: list[int] = []
    for value, along in zip(tensor.values, dimensions[of], strict=True):
        if along is None or value < 1:  # what is left, or all
            sizes.append(value)
            continue
        pixels = along.count * along.axis.rate
        size = pixels * after[along.side]
        if value != pixels * before[along.side] or size.denominator > 1:
            raise refusal(operator, "makes a size that is not in proportion to the image's")
        sizes.append(int(size))
    return tuple(sizes)
