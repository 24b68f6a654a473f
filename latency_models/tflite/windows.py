"""Which input pixels each TFLite operator reads, along the rows and columns of the image.

A rule for each kind of operator gives the dimensions of its result from those of its inputs. It
raises InputError, with the reason, if a shift of the image does not shift the result by as much.
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

from .axes import SIDES, Along, Dimensions, Pieces, refusal
from .file import TfliteOperator, TfliteTensor
from .kinds import ELEMENTWISE
from .reshaping import reshaped

#: Dimensions of the tensors that depend on the image, by name.
_Known: TypeAlias = Mapping[str, Dimensions]
_Rule: TypeAlias = Callable[[TfliteOperator, _Known], Dimensions]


def _input(operator: TfliteOperator, position: int) -> TfliteTensor:
    tensor = operator.inputs[position] if position < len(operator.inputs) else None
    if tensor is None:
        raise refusal(operator, f"lacks its input {position}")
    return tensor


def _source(operator: TfliteOperator, known: _Known, position: int = 0) -> Dimensions:
    """Dimensions of the input at ``position``, the only one that may depend on the image."""
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

#: (operator, side, pixels of the input, pixels of the output) -> reads along that side
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
            # Mirrored pixels must be valid even if the tile ends at the image's border on one side.
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
    """A rule for operators along other dimensions, which keep rows and columns."""

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


def _elementwise(operator: TfliteOperator, known: _Known) -> Dimensions:
    return _broadcast(operator, known, _result(operator))


def _broadcast(
    operator: TfliteOperator, known: _Known, result: tuple[int, ...], joins_at: int | None = None
) -> Dimensions:
    """Dimensions by numpy's broadcasting to the shape ``result``; ``joins_at`` is left out."""
    tensors = [tensor for tensor in operator.inputs if tensor is not None]
    rank, made = len(result), []
    for place in range(rank):
        alongs: list[Along] = []
        for tensor in tensors if place != joins_at else ():
            at = place - rank + len(tensor.shape)
            along = known[tensor.name][at] if at >= 0 and tensor.name in known else None
            if along is not None:
                alongs.append(along)
            elif at >= 0 and tensor.shape[at] > 1:
                alongs.append(_FOREIGN)
        of_image = set(alongs) - {_FOREIGN}
        made.append(_agreed(operator, alongs, result[place]) if of_image else None)
    return tuple(made)


#: A dimension of several values that does not run along the image.
_FOREIGN = Along(-1, Axis.of_image(0))


def _agreed(operator: TfliteOperator, alongs: list[Along], size: int) -> Along:
    if _FOREIGN in alongs:
        raise refusal(operator, "has a constant of its own for each pixel of this size")
    if not _alike(alongs):
        raise refusal(operator, "joins tensors that are not of one scale")
    if alongs[0].size != size:
        raise refusal(operator, "changes the size of the image")
    return replace(alongs[0], axis=joined(along.axis for along in alongs))


def _alike(alongs: list[Along]) -> bool:
    return len({(row.side, row.axis.rate, row.axis.size, row.count) for row in alongs}) == 1


def _concatenated(operator: TfliteOperator, known: _Known) -> Dimensions:
    rank = len(_result(operator))
    axis = operator.axis % rank if rank else 0
    beside = []
    for tensor in operator.inputs:
        dimensions = known.get(tensor.name, ()) if tensor else ()
        if dimensions and len(dimensions) != rank:
            raise refusal(operator, "puts rows or columns beside each other")
        beside.append(dimensions[axis] if dimensions else None)
    pieces = _in_pieces(operator, beside) if any(beside) else None
    made = _broadcast(operator, known, _result(operator), joins_at=axis)
    return (*made[:axis], pieces, *made[axis + 1 :])


def _in_pieces(operator: TfliteOperator, beside: list[Along | None]) -> Along:
    """The dimension of concatenated rows or columns, of tensors along the whole image each."""
    alongs = [replace(along, pieces=None) for along in beside if along]
    if len(alongs) < len(beside) or not _alike(alongs):
        raise refusal(operator, "puts rows or columns beside each other")
    count = sum(along.count for along in beside if along)
    return replace(
        alongs[0],
        axis=joined(along.axis for along in alongs),
        pieces=Pieces(count, operator.label) if count > 1 else None,
    )


def _packed(operator: TfliteOperator, known: _Known) -> Dimensions:
    """PACK: a new dimension whose length is the number of inputs."""
    result = _result(operator)
    axis = operator.axis % len(result) if result else 0
    made = _broadcast(operator, known, result[:axis] + result[axis + 1 :])
    return (*made[:axis], None, *made[axis:])


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
    """Whether each value of its result depends on the whole image."""
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
    """Sides of the blocks; pixels padded or cropped before the image."""
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
    tensor = _input(operator, 0)
    dimensions = known[tensor.name] if tensor.name in known else _source(operator, known)
    return reshaped(operator, tensor.shape, dimensions, _result(operator))


_REDUCTIONS = frozenset({
    "MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "REDUCE_ANY", "REDUCE_ALL",
})  # fmt: skip
_RESHAPES = frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS"})
#: kind -> the rule for the dimensions of its result
RULES: Mapping[str, _Rule] = {
    **dict.fromkeys(ELEMENTWISE, _elementwise),
    **dict.fromkeys(_REDUCTIONS, _reduced),
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D"), _sliding(_convolved)),
    **dict.fromkeys(("MAX_POOL_2D", "AVERAGE_POOL_2D"), _sliding(_pooled)),
    **dict.fromkeys(("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"), _sliding(_resized)),
    **dict.fromkeys(("PAD", "PADV2", "MIRROR_PAD"), _padded),
    **dict.fromkeys(("SOFTMAX", "LOG_SOFTMAX", "L2_NORMALIZATION"), _across(lambda _: (-1,))),
    **dict.fromkeys(_RESHAPES, _reshaped),
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
    "PACK": _packed,
    "TRANSPOSE": _transposed,
    "SPACE_TO_BATCH_ND": _to_batches,
    "BATCH_TO_SPACE_ND": _from_batches,
}
#: Kinds that keep pieces apart; others would read them as one image.
TAKES_PIECES = ELEMENTWISE | _RESHAPES | {"CONCATENATION", "PACK", "TRANSPOSE"}
