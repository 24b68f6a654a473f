"""What a RESHAPE is said to make of rows and columns is what numpy makes of their numbers."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from latency_models.tflite.axes import Dimensions, ImageDimension
from latency_models.tflite.file import TfliteOperator
from latency_models.tflite.reshaping import reshaped
from search_spaces import InputError
from search_spaces.graph.tiling import Axis

RESHAPE = TfliteOperator("RESHAPE", (), ())
SIZES = st.integers(1, 4)


@st.composite
def cuts(draw: st.DrawFn, total: int) -> tuple[int, ...]:
    """A shape of ``total`` values."""
    shape = [1] * draw(st.integers(0, 1))
    while total > 1:
        side = draw(st.sampled_from([n for n in range(2, total + 1) if total % n == 0]))
        shape.append(side)
        total //= side
    return tuple(shape)


@given(st.data(), st.tuples(SIZES, SIZES, SIZES, SIZES, SIZES))
def test_numbers_of_rows_and_columns(data: st.DataObject, shape: tuple[int, ...]) -> None:
    """In two steps, so that the second one meets pieces."""
    rows, columns = (ImageDimension(side, Axis.of_image(shape[1 + 2 * side])) for side in (0, 1))
    dimensions: Dimensions = (None, rows, None, columns, None)
    numbers = np.indices(shape)[[1, 3]]
    for _ in range(2):
        result = data.draw(cuts(math.prod(shape)))
        try:
            dimensions = reshaped(RESHAPE, shape, dimensions, result)
        except InputError:  # it takes rows or columns apart
            return
        shape, numbers = result, numbers.reshape(2, *result)
        for place, along in enumerate(dimensions):
            if along:
                assert along.size == shape[place]
                of_place = np.moveaxis(numbers[along.side], place, 0).reshape(along.size, -1)
                for index, found in enumerate(of_place):
                    assert set(np.unique(found)) == pixels_of(along, index % along.axis.size)


def pixels_of(along: ImageDimension, index: int) -> set[int]:
    """Those of the image that make pixel ``index``."""
    first, end = (math.floor(at / along.axis.rate) for at in (index, index + 1))
    return set(range(first, max(first + 1, end)))


@given(st.data(), st.tuples(SIZES, SIZES, SIZES, SIZES, SIZES))
def test_there_and_back(data: st.DataObject, shape: tuple[int, ...]) -> None:
    """Pieces are taken apart as they were put together."""
    columns = ImageDimension(1, Axis.of_image(shape[3] + 1))
    shape = (*shape[:3], shape[3] + 1, shape[4])
    dimensions: Dimensions = (None, None, None, columns, None)
    outer, inner = math.prod(shape[:3]), shape[4]
    joined = reshaped(RESHAPE, shape, dimensions, (outer * shape[3], inner))
    assert reshaped(RESHAPE, (outer * shape[3], inner), joined, shape) == dimensions
