"""What cannot be cut into tiles, and the reason that is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from latency_models.tflite.requests import read_tflite, tiling_of_model
from search_spaces import InputError, Margins, Tiling

from .tflite_builder import TfliteBuilder

Make = Callable[[TfliteBuilder, int], int]


def model_of(make: Make, scale: int = 2) -> Any:
    """``make`` between the image of 8x8 and its enlargement by nearest neighbor."""
    file = TfliteBuilder()
    image = file.tensor((1, 8, 8, 3))
    last = make(file, image)
    rows, columns = (side * scale for side in file.tensors[last].shape[1:3])
    pixels = file.add(
        "RESIZE_NEAREST_NEIGHBOR", (last, file.constant([rows, columns])), (1, rows, columns, 3),
        "ResizeNearestNeighborOptions",
    )  # fmt: skip
    return read_tflite(file.build((image,), (pixels,)))


def constant_for_each_pixel(file: TfliteBuilder, image: int) -> int:
    return file.add("ADD", (image, file.constant(np.ones((8, 8, 3)), "INT8", 1.0)), (1, 8, 8, 3))


def slopes_for_each_pixel(file: TfliteBuilder, image: int) -> int:
    return file.add("PRELU", (image, file.constant(np.ones((8, 8, 3)), "INT8", 1.0)), (1, 8, 8, 3))


def coordinates(file: TfliteBuilder, image: int) -> int:
    place = file.constant(np.ones((1, 8, 8, 1)), "INT8", 1.0)
    both = file.add("CONCATENATION", (image, place), (1, 8, 8, 4), "ConcatenationOptions", axis=3)
    first = file.constant([0, 0, 0, 0])
    return file.add("SLICE", (both, first, file.constant([1, 8, 8, 3])), (1, 8, 8, 3))


def turned(file: TfliteBuilder, image: int) -> int:
    return file.add("REVERSE_V2", (image, file.constant([1])), (1, 8, 8, 3))


def rows_for_columns(file: TfliteBuilder, image: int) -> int:
    return file.add("TRANSPOSE", (image, file.constant([0, 2, 1, 3])), (1, 8, 8, 3))


def side_by_side(file: TfliteBuilder, image: int) -> int:
    first = file.constant([0, 0, 0, 0])
    half = file.add("SLICE", (image, first, file.constant([1, 4, 8, 3])), (1, 4, 8, 3))
    return file.add("CONCATENATION", (half, half), (1, 8, 8, 3), "ConcatenationOptions", axis=-3)


def joined(file: TfliteBuilder, *parts: int) -> int:
    """Along the columns."""
    width = sum(file.tensors[part].shape[2] for part in parts)
    height, channels = file.tensors[parts[0]].shape[1], file.tensors[parts[0]].shape[3]
    shape = (1, height, width, channels)
    return file.add("CONCATENATION", parts, shape, "ConcatenationOptions", axis=2)


def beside_a_constant(file: TfliteBuilder, image: int) -> int:
    return joined(file, image, file.constant(np.zeros((1, 8, 8, 3)), "INT8", 1.0))


def beside_a_part(file: TfliteBuilder, image: int) -> int:
    first, size = file.constant([0, 0, 0, 0]), file.constant([1, 8, 4, 3])
    return joined(file, image, file.add("SLICE", (image, first, size), (1, 8, 4, 3)))


def rectified(file: TfliteBuilder, image: int) -> int:
    return file.add("RELU", (joined(file, image, image),), (1, 8, 16, 3))


def in_larger_blocks(file: TfliteBuilder, image: int) -> int:
    """Of half the image's columns, then of one and a half."""
    both = joined(file, image, image, image)
    return file.add("RESHAPE", (both, file.constant([1, 16, 12, 3])), (1, 16, 12, 3))


def beside_channels(file: TfliteBuilder, image: int) -> int:
    """What lies around the columns is put beside them by a RESHAPE alone."""
    rows = file.add("TRANSPOSE", (image, file.constant([0, 1, 3, 2])), (1, 8, 3, 8))
    flat = file.add("RESHAPE", (rows, file.constant([1, 8, 24, 1])), (1, 8, 24, 1))
    return file.add("TILE", (flat, file.constant([1, 1, 1, 3])), (1, 8, 24, 3))


def from_the_end(file: TfliteBuilder, image: int) -> int:
    begin, end, stride = ([0, -6, 0, 0], [1, 8, 8, 3], [1, 1, 1, 1])
    constants = map(file.constant, (begin, end, stride))
    return file.add("STRIDED_SLICE", (image, *constants), (1, 6, 8, 3), "StridedSliceOptions")


def backwards(file: TfliteBuilder, image: int) -> int:
    begin, end, stride = ([0, 7, 0, 0], [1, -9, 8, 3], [1, -1, 1, 1])
    constants = map(file.constant, (begin, end, stride))
    return file.add("STRIDED_SLICE", (image, *constants), (1, 8, 8, 3), "StridedSliceOptions")


def to_ten_rows(file: TfliteBuilder, image: int) -> int:
    size = file.constant([10, 10])
    return file.add("RESIZE_BILINEAR", (image, size), (1, 10, 10, 3), "ResizeBilinearOptions")


def corners_aligned(file: TfliteBuilder, image: int) -> int:
    return file.add(
        "RESIZE_BILINEAR", (image, file.constant([16, 16])), (1, 16, 16, 3),
        "ResizeBilinearOptions", alignCorners=True,
    )  # fmt: skip


def cropped_to_half(file: TfliteBuilder, image: int) -> int:
    first, size = file.constant([0, 2, 2, 0]), file.constant([1, 4, 4, 3])
    return file.add("SLICE", (image, first, size), (1, 4, 4, 3))


def of_a_compiler(file: TfliteBuilder, image: int) -> int:
    return file.add("CUSTOM:Magic", (image,), (1, 8, 8, 3))


def flattened(file: TfliteBuilder, image: int) -> int:
    flat = file.add("RESHAPE", (image, file.constant([1, 64, 3])), (1, 64, 3))
    return file.add("RESHAPE", (flat, file.constant([1, 8, 8, 3])), (1, 8, 8, 3))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (constant_for_each_pixel, "ADD .* a constant of its own for each pixel"),
        (slopes_for_each_pixel, "PRELU .* a constant of its own for each pixel"),
        (coordinates, "CONCATENATION .* a constant of its own for each pixel"),
        (turned, "REVERSE_V2 .* works along rows or columns"),
        (rows_for_columns, "rows and columns of the image are not those of"),
        (side_by_side, "CONCATENATION .* beside each other, and RESIZE_NEAREST_NEIGHBOR .* one im"),
        (beside_a_constant, "CONCATENATION .* puts rows or columns beside each other$"),
        (beside_a_part, "CONCATENATION .* puts rows or columns beside each other$"),
        (rectified, "CONCATENATION .* beside each other, and RESIZE_NEAREST_NEIGHBOR .* one image"),
        (in_larger_blocks, "RESHAPE .* takes the image's rows or columns apart"),
        (beside_channels, "RESHAPE .* beside each other, and TILE .* takes them for one image"),
        (from_the_end, "STRIDED_SLICE .* counted from the image's end"),
        (backwards, "STRIDED_SLICE .* turns the image round"),
        (to_ten_rows, "RESIZE_BILINEAR .* makes 10 rows of 8, no whole factor"),
        (corners_aligned, "RESIZE_BILINEAR .* aligns corners"),
        (of_a_compiler, "CUSTOM:Magic .* input pixels are unknown"),
        (flattened, "RESHAPE .* takes the image's rows or columns apart"),
    ],
)
def test_the_operator_and_its_reason_are_told(make: Make, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        tiling_of_model(model_of(make), 2)
    assert "\n" not in str(caught.value)


def test_an_output_beside_itself() -> None:
    file = TfliteBuilder()
    image = file.tensor((1, 8, 8, 3))
    model = read_tflite(file.build((image,), (rectified(file, image),)))
    with pytest.raises(InputError, match=r"CONCATENATION .* beside .*, and output '.* one image"):
        tiling_of_model(model, 2)


@pytest.mark.parametrize("block", [2, 3, 4])
def test_rows_of_blocks_are_cut_as_depth_to_space(block: int) -> None:
    """A convolution 3x3, and another one for each row of the blocks."""
    file = TfliteBuilder()
    image, channels = file.tensor((1, 16, 24, 3)), 3 * block
    parts = [
        file.add(
            "CONV_2D", (image, file.constant(np.ones((channels, 3, 5, 3)), "INT8", 0.01)),
            (1, 16, 24, channels), "Conv2DOptions", strideH=1, strideW=1,
        )
        for _ in range(block)
    ]  # fmt: skip
    size = (1, 16 * block, 24 * block, 3)
    pixels = file.add("RESHAPE", (joined(file, *parts), file.constant(size)), size)
    tiling = tiling_of_model(read_tflite(file.build((image,), (pixels,))), block)
    assert tiling == Tiling(Margins(1, 1, 1), Margins(2, 2, 1))


def test_a_crop_is_no_scale() -> None:
    with pytest.raises(InputError, match="output has 4 rows for each of the image, but is 2 times"):
        tiling_of_model(model_of(cropped_to_half, scale=4), 2)


@pytest.mark.parametrize("axes", [[1, 2], [-3], [2]])
def test_a_mean_sees_the_whole_image(axes: list[int]) -> None:
    def centered(file: TfliteBuilder, image: int) -> int:
        shape = tuple(1 if place in {axis % 4 for axis in axes} else side
                      for place, side in enumerate((1, 8, 8, 3)))  # fmt: skip
        mean = file.add(
            "MEAN", (image, file.constant(axes)), shape, "ReducerOptions", keepDims=True
        )
        return file.add("SUB", (image, mean), (1, 8, 8, 3))

    assert tiling_of_model(model_of(centered), 2) is None


def test_a_mean_over_channels_does_not() -> None:
    def centered(file: TfliteBuilder, image: int) -> int:
        mean = file.add(
            "MEAN", (image, file.constant([3])), (1, 8, 8, 1), "ReducerOptions", keepDims=True
        )
        return file.add("SUB", (image, mean), (1, 8, 8, 3))

    nothing = Margins(0, 0, 1)
    assert tiling_of_model(model_of(centered), 2) == Tiling(nothing, nothing)


def test_rows_and_columns_are_apart() -> None:
    def shifted(file: TfliteBuilder, image: int) -> int:
        padded = file.add(
            "PAD", (image, file.constant([[0, 0], [3, 0], [0, 0], [0, 0]])), (1, 11, 8, 3)
        )
        first, size = file.constant([0, 0, 0, 0]), file.constant([1, 8, 8, 3])
        return file.add("SLICE", (padded, first, size), (1, 8, 8, 3))

    assert tiling_of_model(model_of(shifted), 2) == Tiling(Margins(3, 0, 1), Margins(0, 0, 1))
