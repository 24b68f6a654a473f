"""The same model for images of another size: constants that hold sizes are written anew."""

from __future__ import annotations

from search_spaces import InputError, InputSpec

from .axes import Dimensions
from .file import TfliteModel, TfliteOperator, open_tflite, read_tflite
from .fixed_size import interpreter_at, shapes_in
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
    changed = bytearray(data)
    try:
        if not _write_constants(changed, read_tflite(data), size):
            return None
        shapes = shapes_in(interpreter_at(bytes(changed), size, strict=False))
    except (InputError, RuntimeError, ValueError):
        return None
    graph = open_tflite(changed).Subgraphs(0)
    for index in range(graph.TensorsLength()):
        tensor = graph.Tensors(index)
        if not tensor.ShapeIsNone():
            tensor.ShapeAsNumpy()[:] = shapes[index]
        if not tensor.ShapeSignatureIsNone():
            tensor.ShapeSignatureAsNumpy()[:] = shapes[index]
    return bytes(changed)


def _write_constants(changed: bytearray, model: TfliteModel, size: InputSpec) -> bool:
    """Writes the sizes that operators hold for ``size``; False if they cannot be told."""
    sizes = _sizes(model, size)
    if sizes is None:
        return False
    file, written = open_tflite(changed), dict[int, tuple[int, ...]]()
    graph = file.Subgraphs(0)
    for index, values in sizes.items():
        position, _ = _SIZES[model.operators[index].kind]
        buffer = graph.Tensors(graph.Operators(index).Inputs(position)).Buffer()
        if written.setdefault(buffer, values) != values:
            return False  # two operators that agree at one size only
        file.Buffers(buffer).DataAsNumpy().view("<i4")[:] = values
    return True


def _sizes(model: TfliteModel, size: InputSpec) -> dict[int, tuple[int, ...]] | None:
    """What the constants of operators are to hold, by the operator's index."""
    before, known = model.inputs[0].shape[1:3], dimensions_of(model)
    sizes: dict[int, tuple[int, ...]] = {}
    for index, operator in enumerate(model.operators):
        dimensions = known.get(operator.outputs[0].name)
        if dimensions is None or operator.kind in _OF_ANY_SIZE:
            continue
        values = _in_proportion(operator, dimensions, before, (size.height, size.width))
        if values is None:
            return None
        sizes[index] = values
    return sizes


def _in_proportion(
    operator: TfliteOperator,
    dimensions: Dimensions,
    before: tuple[int, ...],
    after: tuple[int, int],
) -> tuple[int, ...] | None:
    """The sizes that an operator holds, as the image's sides go from ``before`` to ``after``."""
    if operator.kind not in _SIZES:
        return None
    position, of = _SIZES[operator.kind]
    tensor = operator.inputs[position] if position < len(operator.inputs) else None
    if tensor is None or tensor.dtype != "int32" or len(tensor.values) != len(dimensions[of]):
        return None
    sizes: list[int] = []
    for value, along in zip(tensor.values, dimensions[of], strict=True):
        if along is None or value < 1:  # what is left, or all
            sizes.append(value)
            continue
        pixels = along.count * along.axis.rate
        size = pixels * after[along.side]
        if value != pixels * before[along.side] or size.denominator > 1:
            return None  # not in proportion: something was cropped or padded
        sizes.append(int(size))
    return tuple(sizes)
