"""Models that make pixels row by row of their blocks, in every form that files have."""

from __future__ import annotations

import functools
from enum import Enum

import numpy as np
from hypothesis import strategies as st

from .shifting_models import CHANNELS, LARGEST_RATE, DoesNotFitError, Sketch, Step


class Dark(Enum):
    """Where values are held below a limit."""

    EACH = "each row of blocks"
    JOINED = "rows of blocks beside each other"
    IMAGE = "the image"


class RowsForm(Enum):
    """How the rows of blocks, each made by itself, become those of the image."""

    AT_ONCE = "beside each other, then one RESHAPE"
    ROWS_FIRST = "beside each other, then the rows, then the columns"
    COLUMNS_FIRST = "each its columns, then beside each other"
    NESTED = "beside each other one by one"
    STACKED = "a dimension of their own"
    FLATTENED = "a dimension of their own, which a RESHAPE puts into the columns"
    BELOW = "below each other, then moved by a TRANSPOSE"


def rows_of_blocks(block: int, form: RowsForm, kernel: int, *, split: bool, dark: Dark) -> Step:
    """Channels to pixels without DEPTH_TO_SPACE: ``block`` tensors of a row of each block."""

    def step(sketch: Sketch) -> None:
        file, (height, width) = sketch.file, sketch.size
        tall, wide, depth = height * block, width * block, CHANNELS * block
        if sketch.rate * block > LARGEST_RATE:
            raise DoesNotFitError

        def shaped(source: int, *shape: int) -> int:
            return file.add("RESHAPE", (source, file.constant(shape)), shape)

        def beside(axis: int, *parts: int) -> int:
            shape = list(file.tensors[parts[0]].shape)
            shape[axis] = sum(file.tensors[part].shape[axis] for part in parts)
            options = "ConcatenationOptions"
            return file.add("CONCATENATION", parts, tuple(shape), options, axis=axis)

        def darker(source: int, place: Dark) -> int:
            if place is not dark:
                return source
            limit = file.constant(np.full((), 60), "INT8", 1.0)
            return file.add("MINIMUM", (source, limit), tuple(file.tensors[source].shape))

        parts = [darker(part, Dark.EACH) for part in sketch.parts(block, depth, kernel, split)]
        match form:
            case RowsForm.AT_ONCE | RowsForm.ROWS_FIRST:
                joined = beside(2, *parts)
            case RowsForm.COLUMNS_FIRST:
                joined = beside(2, *[shaped(part, 1, height, wide, CHANNELS) for part in parts])
            case RowsForm.NESTED:
                joined = functools.reduce(functools.partial(beside, 2), parts)
            case RowsForm.STACKED | RowsForm.FLATTENED:
                stacked = (1, height, block, width, depth)
                joined = file.add(
                    "PACK", tuple(parts), stacked, "PackOptions", axis=2, valuesCount=block
                )
            case RowsForm.BELOW:
                apart = shaped(beside(1, *parts), block, height, width, depth)
                order = file.constant([1, 0, 2, 3])
                joined = file.add("TRANSPOSE", (apart, order), (height, block, width, depth))
        joined = darker(joined, Dark.JOINED)
        if form is RowsForm.ROWS_FIRST:
            joined = shaped(joined, 1, tall, width, depth)
        if form is RowsForm.FLATTENED:
            joined = shaped(joined, 1, height, wide, depth)
        sketch.last = darker(shaped(joined, 1, tall, wide, CHANNELS), Dark.IMAGE)
        sketch.size = (tall, wide)
        sketch.rate *= block

    return step


ROWS_OF_BLOCKS: st.SearchStrategy[Step] = st.builds(
    rows_of_blocks, st.integers(2, 4), st.sampled_from(RowsForm), st.sampled_from([1, 3]),
    split=st.booleans(), dark=st.sampled_from(Dark),
)  # fmt: skip
