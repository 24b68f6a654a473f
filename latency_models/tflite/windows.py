"""Which input pixels each TFLite operator reads, along the rows and columns of the image.

A rule for each kind of operator gives the dimensions of its result from those of its inputs. It
raises InputError, with the reason, unless a shift of the image shifts the result accordingly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import TypeAlias

from search_spaces.graph.tiling import Axis, joined
from search_spaces.graph.windows import (
    PIXEL,
    Reads,
    gathered,
    interpolated,
    repeated,
    shifted,
    transposed,
    window,
)

from .axes import SIDES, Dimensions, ImageDimension, Pieces, refusal
from .file import TfliteOperator, TfliteTensor
from .kinds import ELEMENTWISE
from .reshaping import reshaped

#: Name of each tensor that depends on the image -> its dimensions.
_Known: TypeAlias = Mapping[str, Dimensions]
_Rule: TypeAlias = Callable[[TfliteOperator, _Known], Dimensions]


def _input(operator: TfliteOperator, position: int) -> TfliteTensor:
    """Returns the input tensor at ``position``; InputError if the operator lacks it."""
    tensor = operator.inputs[position] if position < len(operator.inputs) else None
    if tensor is None:
        raise refusal(operator, f"lacks its input {position}")
    return tensor


def _source_dimensions(operator: TfliteOperator, known: _Known, position: int = 0) -> Dimensions:
    """Returns the dimensions of one input; InputError if another one depends on the image, too."""
    tensor = _input(operator, position)
    others = [t for t in operator.inputs if t is not None and t is not tensor]
    if tensor.name not in known or any(other.name in known for other in others):
        raise refusal(operator, "has parameters that depend on the image")
    return known[tensor.name]


def _constant_values(
    operator: TfliteOperator, position: int, length: int | None = None
) -> tuple[int, ...]:
    """Returns the values of a constant input; InputError unless there are ``length`` of them."""
    values = _input(operator, position).values
    if not values or length not in (None, len(values)):
        raise refusal(operator, "has parameters that are no constants of the file")
    return values


def _output_shape(operator: TfliteOperator) -> tuple[int, ...]:
    return operator.outputs[0].shape


# Operators that slide over rows and columns.

#: (operator, side, pixels of the input, pixels of the output) -> reads along that side
_SideReads: TypeAlias = Callable[[TfliteOperator, int, int, int], Reads]


def _sliding_rule(reads: _SideReads, position: int = 0) -> _Rule:
    """Returns the rule of an operator that slides over the image at input ``position``."""

    def rule(operator: TfliteOperator, known: _Known) -> Dimensions:
        dimensions, result = _source_dimensions(operator, known, position), _output_shape(operator)
        if len(dimensions) != 4 or len(result) != 4 or dimensions[0] or dimensions[3]:
            raise refusal(operator, "mixes rows or columns of the image as if they were channels")
        made: list[ImageDimension | None] = [None] * 4
        for place in (1, 2):
            dimension, size = dimensions[place], _input(operator, position).shape[place]
            if dimension is not None:
                made[place] = dimension.after_operator(
                    reads(operator, place - 1, size, result[place]), result[place]
                )
        return tuple(made)

    return rule


def _convolution_reads(operator: TfliteOperator, side: int, size: int, result: int) -> Reads:
    kernel = _kernel_size(operator, side)
    return window(size, result, kernel, operator.strides[side], operator.dilations[side])


def _deconvolution_reads(operator: TfliteOperator, side: int, size: int, result: int) -> Reads:
    return transposed(size, result, _kernel_size(operator, side), operator.strides[side])


def _kernel_size(operator: TfliteOperator, side: int) -> int:
    shape = _input(operator, 1).shape
    if len(shape) != 4:
        raise refusal(operator, f"has weights of shape {shape}")
    return shape[1 + side]


def _pooling_reads(operator: TfliteOperator, side: int, size: int, result: int) -> Reads:
    return window(size, result, operator.sizes[side], operator.strides[side])


def _resize_reads(operator: TfliteOperator, side: int, size: int, result: int) -> Reads:
    if size == result:
        return PIXEL
    if operator.align_corners:
        raise refusal(operator, "aligns corners, so that it stretches each size differently")
    if result % size and size % result:
        raise refusal(operator, f"makes {result} {SIDES[side]} of {size}, no whole factor")
    step = Fraction(size, result)
    if operator.kind == "RESIZE_BILINEAR":
        return interpolated(step, half_pixel_centers=operator.half_pixel_centers)
    if step < 1:
        return repeated(step.denominator)
    return shifted(int(step) // 2 if operator.half_pixel_centers else 0, int(step))


# Operators that treat dimensions one by one.


def _each_axis(operator: TfliteOperator, dimensions: Dimensions, reads: list[Reads]) -> Dimensions:
    """Applies ``reads``, one for each dimension, to ``dimensions``."""
    result = _output_shape(operator)
    if not len(dimensions) == len(reads) == len(result):
        raise refusal(operator, "changes the number of dimensions")
    return tuple(
        None if dimension is None else dimension.after_operator(read, size)
        for dimension, read, size in zip(dimensions, reads, result, strict=True)
    )


def _pad(operator: TfliteOperator, known: _Known) -> Dimensions:
    dimensions = _source_dimensions(operator, known)
    before = _constant_values(operator, 1, 2 * len(dimensions))[::2]
    if operator.kind == "MIRROR_PAD":
        after = _constant_values(operator, 1)[1::2]
        for dimension, *widths in zip(dimensions, before, after, strict=True):
            # Mirrored pixels must be valid even if the tile ends at the image's border on one side.
            if dimension and (
                max(widths) >= dimension.axis.last
                or dimension.axis.size - max(widths) <= dimension.axis.first
            ):
                raise refusal(operator, f"mirrors {max(widths)} pixels, too many for this size")
    return _each_axis(operator, dimensions, [shifted(-width) for width in before])


def _slice(operator: TfliteOperator, known: _Known) -> Dimensions:
    dimensions = _source_dimensions(operator, known)
    begins = _constant_values(operator, 1, len(dimensions))
    return _each_axis(operator, dimensions, [shifted(begin) for begin in begins])


def _strided_slice(operator: TfliteOperator, known: _Known) -> Dimensions:
    dimensions = _source_dimensions(operator, known)
    if operator.reshape_masks:
        raise refusal(operator, "changes the number of dimensions")
    begins, strides = (_constant_values(operator, at, len(dimensions)) for at in (1, 3))
    reads = []
    for place, (dimension, begin, stride) in enumerate(
        zip(dimensions, begins, strides, strict=True)
    ):
        masked = operator.begin_mask >> place & 1
        if dimension and stride < 1:
            raise refusal(operator, "turns the image round")
        if dimension and begin < 0 and not masked:
            raise refusal(operator, "begins at a pixel counted from the image's end")
        reads.append(shifted(0 if masked else begin, max(stride, 1)))
    return _each_axis(operator, dimensions, reads)


def _tile(operator: TfliteOperator, known: _Known) -> Dimensions:
    dimensions = _source_dimensions(operator, known)
    for dimension, count in zip(
        dimensions, _constant_values(operator, 1, len(dimensions)), strict=True
    ):
        if dimension and count != 1:
            raise refusal(operator, "repeats the whole image beside itself")
    return _each_axis(operator, dimensions, [PIXEL] * len(dimensions))


def _other_axes(*axes_of: Callable[[TfliteOperator], tuple[int, ...]], position: int = 0) -> _Rule:
    """Returns the rule of operators along axes other than rows and columns, which are kept."""

    def rule(operator: TfliteOperator, known: _Known) -> Dimensions:
        dimensions = _source_dimensions(operator, known, position)
        for axis in axes_of[0](operator):
            if not -len(dimensions) <= axis < len(dimensions) or dimensions[axis]:
                raise refusal(operator, "works along rows or columns of the whole image")
        return _each_axis(operator, dimensions, [PIXEL] * len(dimensions))

    return rule


def _fully_connected(operator: TfliteOperator, known: _Known) -> Dimensions:
    if _input(operator, 0).shape[:-1] != _output_shape(operator)[:-1]:
        raise refusal(operator, "joins rows or columns of the image")
    return _other_axes(lambda _: (-1,))(operator, known)


# Operators that join tensors.


def _elementwise(operator: TfliteOperator, known: _Known) -> Dimensions:
    return _broadcast(operator, known, _output_shape(operator))


def _broadcast(
    operator: TfliteOperator, known: _Known, result: tuple[int, ...], skipped: int | None = None
) -> Dimensions:
    """Returns the dimensions after broadcasting, as in numpy, to the shape ``result``.

    The dimension ``skipped`` is left out.
    """
    tensors = [tensor for tensor in operator.inputs if tensor is not None]
    rank, made = len(result), []
    for place in range(rank):
        candidates: list[ImageDimension] = []
        for tensor in tensors if place != skipped else ():
            at = place - rank + len(tensor.shape)
            dimension = known[tensor.name][at] if at >= 0 and tensor.name in known else None
            if dimension is not None:
                candidates.append(dimension)
            elif at >= 0 and tensor.shape[at] > 1:
                candidates.append(_NOT_OF_IMAGE)
        of_image = set(candidates) - {_NOT_OF_IMAGE}
        made.append(_merged_dimension(operator, candidates, result[place]) if of_image else None)
    return tuple(made)


#: Marks a dimension of several values that does not run along the image.
_NOT_OF_IMAGE = ImageDimension(-1, Axis.of_image(0))


def _merged_dimension(
    operator: TfliteOperator, candidates: list[ImageDimension], size: int
) -> ImageDimension:
    """Merges one dimension of several tensors; InputError unless they have the same scale."""
    if _NOT_OF_IMAGE in candidates:
        raise refusal(operator, "has a constant of its own for each pixel of this size")
    if not _same_scale(candidates):
        raise refusal(operator, "joins tensors that are not of one scale")
    if candidates[0].size != size:
        raise refusal(operator, "changes the size of the image")
    return replace(candidates[0], axis=joined(dimension.axis for dimension in candidates))


def _same_scale(candidates: list[ImageDimension]) -> bool:
    """Whether all dimensions have the same side, scale and size."""
    return len({(row.side, row.axis.rate, row.axis.size, row.count) for row in candidates}) == 1


def _concatenation(operator: TfliteOperator, known: _Known) -> Dimensions:
    rank = len(_output_shape(operator))
    axis = operator.axis % rank if rank else 0
    parts = []
    for tensor in operator.inputs:
        dimensions = known.get(tensor.name, ()) if tensor else ()
        if dimensions and len(dimensions) != rank:
            raise refusal(operator, "puts rows or columns beside each other")
        parts.append(dimensions[axis] if dimensions else None)
    pieces = _piecewise_dimension(operator, parts) if any(parts) else None
    made = _broadcast(operator, known, _output_shape(operator), skipped=axis)
    return (*made[:axis], pieces, *made[axis + 1 :])


def _piecewise_dimension(
    operator: TfliteOperator, parts: list[ImageDimension | None]
) -> ImageDimension:
    """Returns the dimension of concatenated rows or columns; each part spans the whole image."""
    candidates = [replace(dimension, pieces=None) for dimension in parts if dimension]
    if len(candidates) < len(parts) or not _same_scale(candidates):
        raise refusal(operator, "puts rows or columns beside each other")
    count = sum(dimension.count for dimension in parts if dimension)
    return replace(
        candidates[0],
        axis=joined(dimension.axis for dimension in candidates),
        pieces=Pieces(count, operator.label) if count > 1 else None,
    )


def _pack(operator: TfliteOperator, known: _Known) -> Dimensions:
    """PACK: a new dimension whose length is the number of inputs."""
    result = _output_shape(operator)
    axis = operator.axis % len(result) if result else 0
    made = _broadcast(operator, known, result[:axis] + result[axis + 1 :])
    return (*made[:axis], None, *made[axis:])


# Operators that move dimensions.


def _reduction(operator: TfliteOperator, known: _Known) -> Dimensions:
    dimensions = _source_dimensions(operator, known)
    rank = len(dimensions)
    axes = {axis % rank for axis in _constant_values(operator, 1)}
    left = tuple(None if place in axes else dimension for place, dimension in enumerate(dimensions))
    if len(_output_shape(operator)) == rank:
        return left
    return tuple(dimension for place, dimension in enumerate(left) if place not in axes)


def depends_on_whole_image(operator: TfliteOperator, known: _Known) -> bool:
    """Whether each value of the operator's result depends on the whole image."""
    if operator.kind not in _REDUCTIONS:
        return False
    dimensions = _source_dimensions(operator, known)
    return any(dimensions[axis % len(dimensions)] for axis in _constant_values(operator, 1))


def _transpose(operator: TfliteOperator, known: _Known) -> Dimensions:
    dimensions = _source_dimensions(operator, known)
    order = _constant_values(operator, 1, len(dimensions))
    if sorted(order) != list(range(len(dimensions))):
        raise refusal(operator, f"has no order of dimensions, but {order}")
    return tuple(dimensions[place] for place in order)


def _block_parameters(operator: TfliteOperator) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Returns the sides of the blocks, and the pixels padded or cropped before the image."""
    block, before = _constant_values(operator, 1, 2), _constant_values(operator, 2, 4)[::2]
    if min(block) < 1:
        raise refusal(operator, f"has blocks of {block}")
    return block, before


def _space_to_batch(operator: TfliteOperator, known: _Known) -> Dimensions:
    dimensions = _source_dimensions(operator, known)
    block, before = _block_parameters(operator)
    reads = [
        replace(read, first=read.first - width, last=read.last - width)
        for read, width in zip(map(gathered, block), before, strict=True)
    ]
    return _each_axis(operator, dimensions, [PIXEL, *reads, PIXEL])


def _batch_to_space(operator: TfliteOperator, known: _Known) -> Dimensions:
    dimensions = _source_dimensions(operator, known)
    block, before = _block_parameters(operator)
    reads = [
        Reads(read.step, read.first + read.step * crop, read.last + read.step * crop)
        for read, crop in zip(map(repeated, block), before, strict=True)
    ]
    return _each_axis(operator, dimensions, [PIXEL, *reads, PIXEL])


def _reshape(operator: TfliteOperator, known: _Known) -> Dimensions:
    tensor = _input(operator, 0)
    dimensions = known[tensor.name] if tensor.name in known else _source_dimensions(operator, known)
    return reshaped(operator, tensor.shape, dimensions, _output_shape(operator))


_REDUCTIONS = frozenset({
    "MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "REDUCE_ANY", "REDUCE_ALL",
})  # fmt: skip
_RESHAPES = frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS"})
#: kind -> the rule for the dimensions of its result
RULES: Mapping[str, _Rule] = {
    **dict.fromkeys(ELEMENTWISE, _elementwise),
    **dict.fromkeys(_REDUCTIONS, _reduction),
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D"), _sliding_rule(_convolution_reads)),
    **dict.fromkeys(("MAX_POOL_2D", "AVERAGE_POOL_2D"), _sliding_rule(_pooling_reads)),
    **dict.fromkeys(("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"), _sliding_rule(_resize_reads)),
    **dict.fromkeys(("PAD", "PADV2", "MIRROR_PAD"), _pad),
    **dict.fromkeys(("SOFTMAX", "LOG_SOFTMAX", "L2_NORMALIZATION"), _other_axes(lambda _: (-1,))),
    **dict.fromkeys(_RESHAPES, _reshape),
    "TRANSPOSE_CONV": _sliding_rule(_deconvolution_reads, position=2),
    "DEPTH_TO_SPACE": _sliding_rule(lambda operator, side, *_: repeated(operator.sizes[side])),
    "SPACE_TO_DEPTH": _sliding_rule(lambda operator, side, *_: gathered(operator.sizes[side])),
    "SLICE": _slice,
    "STRIDED_SLICE": _strided_slice,
    "TILE": _tile,
    "SPLIT": _other_axes(lambda operator: _constant_values(operator, 0), position=1),
    "SPLIT_V": _other_axes(lambda operator: _constant_values(operator, 2)),
    "GATHER": _other_axes(lambda operator: (operator.axis,)),
    "REVERSE_V2": _other_axes(lambda operator: _constant_values(operator, 1)),
    "FULLY_CONNECTED": _fully_connected,
    "CONCATENATION": _concatenation,
    "PACK": _pack,
    "TRANSPOSE": _transpose,
    "SPACE_TO_BATCH_ND": _space_to_batch,
    "BATCH_TO_SPACE_ND": _batch_to_space,
}
#: Kinds that do not mix concatenated pieces; other kinds would read across their borders.
PIECEWISE_KINDS = ELEMENTWISE | _RESHAPES | {"CONCATENATION", "PACK", "TRANSPOSE"}
