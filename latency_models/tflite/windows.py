"""What each operator of anybody's TFLite file reads, along the rows and columns of the image.

Where a shift of the image does not shift the result, an InputError names the operator and says why.
"""

from __future__ import annotations

import math
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

from .axes import SIDES, Along, Dimensions, refusal
from .file import TfliteOperator, TfliteTensor
from .kinds import ELEMENTWISE

#: The tensors that depend on the image.
_Known: TypeAlias = Mapping[str, Dimensions]
_Rule: TypeAlias = Callable[[TfliteOperator, _Known], Dimensions]


def _input(operator: TfliteOperator, position: int) -> TfliteTensor:
    tensor = operator.inputs[position] if position < len(operator.inputs) else None
    if tensor is None:
        raise refusal(operator, f"lacks its input {position}")
    return tensor


def _source(operator: TfliteOperator, known: _Known, position: int = 0) -> Dimensions:
    """Of the only input that may depend on the image."""
    tensor = _input(operator, position)
    others = [t for t in operator.inputs if t is not None and t is not tensor]
    if tensor.name not in known or any(other.name in known for other in others):
        raise refusal(operator, "has parameters that depend on the image")
    return known[tensor.name]


def _constant(
    operator: TfliteOperator, position: int, length: int | None = None
) -> tuple[int, ...]:
    values = _input(operator, position).values
    if not values or length not in (None, len(values)):
        raise refusal(operator, "has parameters that are no constants of the file")
    return values


def _result(operator: TfliteOperator) -> tuple[int, ...]:
    return operator.outputs[0].shape


# Operators that slide over rows and columns.

#: (operator, side, pixels of the input, pixels of the output) -> what it reads along that side
_Sliding: TypeAlias = Callable[[TfliteOperator, int, int, int], Reads]


def _sliding(reads: _Sliding, position: int = 0) -> _Rule:
    def rule(operator: TfliteOperator, known: _Known) -> Dimensions:
        dimensions, result = _source(operator, known, position), _result(operator)
        if len(dimensions) != 4 or len(result) != 4 or dimensions[0] or dimensions[3]:
            raise refusal(operator, "mixes rows or columns of the image as if they were channels")
        made: list[Along | None] = [None] * 4
        for place in (1, 2):
            along, size = dimensions[place], _input(operator, position).shape[place]
            if along is not None:
                made[place] = along.through(
                    reads(operator, place - 1, size, result[place]), result[place]
                )
        return tuple(made)

    return rule


def _convolved(operator: TfliteOperator, side: int, size: int, result: int) -> Reads:
    kernel = _kernel(operator, side)
    return window(size, result, kernel, operator.strides[side], operator.dilations[side])


def _deconvolved(operator: TfliteOperator, side: int, size: int, result: int) -> Reads:
    return transposed(size, result, _kernel(operator, side), operator.strides[side])


def _kernel(operator: TfliteOperator, side: int) -> int:
    shape = _input(operator, 1).shape
    if len(shape) != 4:
        raise refusal(operator, f"has weights of shape {shape}")
    return shape[1 + side]


def _pooled(operator: TfliteOperator, side: int, size: int, result: int) -> Reads:
    return window(size, result, operator.sizes[side], operator.strides[side])


def _resized(operator: TfliteOperator, side: int, size: int, result: int) -> Reads:
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


def _each(operator: TfliteOperator, dimensions: Dimensions, reads: list[Reads]) -> Dimensions:
    result = _result(operator)
    if not len(dimensions) == len(reads) == len(result):
        raise refusal(operator, "changes the number of dimensions")
    return tuple(
        None if along is None else along.through(read, size)
        for along, read, size in zip(dimensions, reads, result, strict=True)
    )


def _padded(operator: TfliteOperator, known: _Known) -> Dimensions:
    dimensions = _source(operator, known)
    before = _constant(operator, 1, 2 * len(dimensions))[::2]
    if operator.kind == "MIRROR_PAD":
        after = _constant(operator, 1)[1::2]
        for along, *widths in zip(dimensions, before, after, strict=True):
            # Mirrored pixels must be right themselves where the image ends on one side only.
            if along and (
                max(widths) >= along.axis.last or along.axis.size - max(widths) <= along.axis.first
            ):
                raise refusal(operator, f"mirrors {max(widths)} pixels, too many for this size")
    return _each(operator, dimensions, [shifted(-width) for width in before])


def _sliced(operator: TfliteOperator, known: _Known) -> Dimensions:
    dimensions = _source(operator, known)
    begins = _constant(operator, 1, len(dimensions))
    return _each(operator, dimensions, [shifted(begin) for begin in begins])


def _stride_sliced(operator: TfliteOperator, known: _Known) -> Dimensions:
    dimensions = _source(operator, known)
    if operator.reshape_masks:
        raise refusal(operator, "changes the number of dimensions")
    begins, strides = (_constant(operator, at, len(dimensions)) for at in (1, 3))
    reads = []
    for place, (along, begin, stride) in enumerate(zip(dimensions, begins, strides, strict=True)):
        masked = operator.begin_mask >> place & 1
        if along and stride < 1:
            raise refusal(operator, "turns the image round")
        if along and begin < 0 and not masked:
            raise refusal(operator, "begins at a pixel counted from the image's end")
        reads.append(shifted(0 if masked else begin, max(stride, 1)))
    return _each(operator, dimensions, reads)


def _tiled(operator: TfliteOperator, known: _Known) -> Dimensions:
    dimensions = _source(operator, known)
    for along, count in zip(dimensions, _constant(operator, 1, len(dimensions)), strict=True):
        if along and count != 1:
            raise refusal(operator, "repeats the whole image beside itself")
    return _each(operator, dimensions, [PIXEL] * len(dimensions))


def _across(*axes_of: Callable[[TfliteOperator], tuple[int, ...]], position: int = 0) -> _Rule:
    """Rows and columns stay as they are, as long as what it does is along other dimensions."""

    def rule(operator: TfliteOperator, known: _Known) -> Dimensions:
        dimensions = _source(operator, known, position)
        for axis in axes_of[0](operator):
            if not -len(dimensions) <= axis < len(dimensions) or dimensions[axis]:
                raise refusal(operator, "works along rows or columns of the whole image")
        return _each(operator, dimensions, [PIXEL] * len(dimensions))

    return rule


def _fully_connected(operator: TfliteOperator, known: _Known) -> Dimensions:
    if _input(operator, 0).shape[:-1] != _result(operator)[:-1]:
        raise refusal(operator, "joins rows or columns of the image")
    return _across(lambda _: (-1,))(operator, known)


# Operators that join tensors.


def _elementwise(
    operator: TfliteOperator, known: _Known, joins_at: int | None = None
) -> Dimensions:
    """Element by element, broadcast as in numpy; along dimension ``joins_at`` side by side."""
    tensors = [tensor for tensor in operator.inputs if tensor is not None]
    rank, made = len(_result(operator)), []
    for place in range(rank):
        found: list[Along] = []
        for tensor in tensors:
            at = place - rank + len(tensor.shape)
            along = known[tensor.name][at] if at >= 0 and tensor.name in known else None
            if along is not None:
                found.append(along)
            elif at >= 0 and tensor.shape[at] > 1 and place != joins_at:
                found.append(_FOREIGN)
        made.append(_agreed(operator, found, place) if set(found) - {_FOREIGN} else None)
    return tuple(made)


#: A dimension of several values that does not run along the image.
_FOREIGN = Along(-1, Axis.of_image(0))


def _agreed(operator: TfliteOperator, found: list[Along], place: int) -> Along:
    if _FOREIGN in found:
        raise refusal(operator, "has a constant of its own for each pixel of this size")
    if len({(along.side, along.axis.rate, along.axis.size) for along in found}) > 1:
        raise refusal(operator, "joins tensors that are not of one scale")
    if found[0].axis.size != _result(operator)[place]:
        raise refusal(operator, "changes the size of the image")
    return replace(found[0], axis=joined(along.axis for along in found))


def _concatenated(operator: TfliteOperator, known: _Known) -> Dimensions:
    rank = len(_result(operator))
    axis = operator.axis % rank if rank else 0
    for tensor in operator.inputs:
        dimensions = known.get(tensor.name, ()) if tensor else ()
        if dimensions and (len(dimensions) != rank or dimensions[axis]):
            raise refusal(operator, "puts rows or columns beside each other")
    return _elementwise(operator, known, joins_at=axis)


# Operators that move dimensions.


def _reduced(operator: TfliteOperator, known: _Known) -> Dimensions:
    dimensions = _source(operator, known)
    rank = len(dimensions)
    axes = {axis % rank for axis in _constant(operator, 1)}
    left = tuple(None if place in axes else along for place, along in enumerate(dimensions))
    if len(_result(operator)) == rank:
        return left
    return tuple(along for place, along in enumerate(left) if place not in axes)


def sees_all(operator: TfliteOperator, known: _Known) -> bool:
    """Does each value that it makes depend on the whole image?"""
    if operator.kind not in _REDUCTIONS:
        return False
    dimensions = _source(operator, known)
    return any(dimensions[axis % len(dimensions)] for axis in _constant(operator, 1))


def _transposed(operator: TfliteOperator, known: _Known) -> Dimensions:
    dimensions = _source(operator, known)
    order = _constant(operator, 1, len(dimensions))
    if sorted(order) != list(range(len(dimensions))):
        raise refusal(operator, f"has no order of dimensions, but {order}")
    return tuple(dimensions[place] for place in order)


def _blocks(operator: TfliteOperator) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Sides of the blocks; pixels put or left out before the image."""
    block, before = _constant(operator, 1, 2), _constant(operator, 2, 4)[::2]
    if min(block) < 1:
        raise refusal(operator, f"has blocks of {block}")
    return block, before


def _to_batches(operator: TfliteOperator, known: _Known) -> Dimensions:
    dimensions = _source(operator, known)
    block, before = _blocks(operator)
    reads = [
        replace(read, first=read.first - width, last=read.last - width)
        for read, width in zip(map(gathered, block), before, strict=True)
    ]
    return _each(operator, dimensions, [PIXEL, *reads, PIXEL])


def _from_batches(operator: TfliteOperator, known: _Known) -> Dimensions:
    dimensions = _source(operator, known)
    block, before = _blocks(operator)
    reads = [
        Reads(read.step, read.first + read.step * crop, read.last + read.step * crop)
        for read, crop in zip(map(repeated, block), before, strict=True)
    ]
    return _each(operator, dimensions, [PIXEL, *reads, PIXEL])


def _reshaped(operator: TfliteOperator, known: _Known) -> Dimensions:
    """A side of the image may be cut into blocks, and be put together with what lies within it."""
    tensor, result = _input(operator, 0), _result(operator)
    dimensions = known[tensor.name] if tensor.name in known else _source(operator, known)
    made: list[Along | None] = []
    before = after = 0
    while before < len(tensor.shape) or after < len(result):
        old, new = [before], [after]
        while (product := _product(tensor.shape, old)) != (wanted := _product(result, new)):
            grown, limit = (old, tensor.shape) if product < wanted else (new, result)
            if grown[-1] + 1 >= len(limit):
                raise refusal(operator, "changes the number of values")
            grown.append(grown[-1] + 1)
        made += _regrouped(
            operator,
            [(tensor.shape[at], dimensions[at]) for at in old if at < len(tensor.shape)],
            [result[at] for at in new if at < len(result)],
        )
        before, after = old[-1] + 1, new[-1] + 1
    return tuple(made)


def _product(shape: tuple[int, ...], places: list[int]) -> int:
    return math.prod(shape[place] for place in places if place < len(shape))


def _regrouped(
    operator: TfliteOperator, old: list[tuple[int, Along | None]], new: list[int]
) -> list[Along | None]:
    """Neighboring dimensions made others of as many values."""
    alongs = [along for _, along in old if along]
    if not alongs:
        return [None] * len(new)
    kept = [(size, along) for size, along in old if size > 1 or along]
    places = [place for place, size in enumerate(new) if size > 1] or [0]
    if len(alongs) > 1 or kept[0][1] is None or (len(kept) > 1 and len(places) > 1) or not new:
        raise refusal(operator, "takes the image's rows or columns apart")
    size, along = kept[0][0], alongs[0]
    first = new[places[0]]
    reads = repeated(first // size) if first >= size else gathered(size // first)
    made: list[Along | None] = [None] * len(new)
    made[places[0]] = along.through(reads, first)
    return made


_REDUCTIONS = frozenset({
    "MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "REDUCE_ANY", "REDUCE_ALL",
})  # fmt: skip
#: kind -> the dimensions of what it makes
RULES: Mapping[str, _Rule] = {
    **dict.fromkeys(ELEMENTWISE, _elementwise),
    **dict.fromkeys(_REDUCTIONS, _reduced),
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D"), _sliding(_convolved)),
    **dict.fromkeys(("MAX_POOL_2D", "AVERAGE_POOL_2D"), _sliding(_pooled)),
    **dict.fromkeys(("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"), _sliding(_resized)),
    **dict.fromkeys(("PAD", "PADV2", "MIRROR_PAD"), _padded),
    **dict.fromkeys(("SOFTMAX", "LOG_SOFTMAX", "L2_NORMALIZATION"), _across(lambda _: (-1,))),
    **dict.fromkeys(("RESHAPE", "SQUEEZE", "EXPAND_DIMS"), _reshaped),
    "TRANSPOSE_CONV": _sliding(_deconvolved, position=2),
    "DEPTH_TO_SPACE": _sliding(lambda operator, side, *_: repeated(operator.sizes[side])),
    "SPACE_TO_DEPTH": _sliding(lambda operator, side, *_: gathered(operator.sizes[side])),
    "SLICE": _sliced,
    "STRIDED_SLICE": _stride_sliced,
    "TILE": _tiled,
    "SPLIT": _across(lambda operator: _constant(operator, 0), position=1),
    "SPLIT_V": _across(lambda operator: _constant(operator, 2)),
    "GATHER": _across(lambda operator: (operator.axis,)),
    "REVERSE_V2": _across(lambda operator: _constant(operator, 1)),
    "FULLY_CONNECTED": _fully_connected,
    "CONCATENATION": _concatenated,
    "TRANSPOSE": _transposed,
    "SPACE_TO_BATCH_ND": _to_batches,
    "BATCH_TO_SPACE_ND": _from_batches,
}
