"""Other people's models: whole networks of a few operators, made without TensorFlow."""

from __future__ import annotations

import numpy as np

from .tflite_builder import TfliteBuilder

SIDE = 16


def enlarging(
    *, dtype: str = "INT8", weights: str = "INT8", open_sides: tuple[int, ...] = (), name: str = ""
) -> bytes:
    """A convolution and DEPTH_TO_SPACE, x2."""
    file = TfliteBuilder()
    scale, zero = (None, 0) if dtype.startswith("FLOAT") else (1.0, -128 if dtype == "INT8" else 0)

    def tensor(side: int, channels: int) -> int:
        shape = (1, side, side, channels)
        return file.tensor(
            shape, dtype, scale=scale, zero_point=zero, open_sides=open_sides,
            name=f"{name}{len(file.tensors)}" if name else "",
        )  # fmt: skip

    image, features, pixels = tensor(SIDE, 3), tensor(SIDE, 12), tensor(2 * SIDE, 3)
    values = np.random.default_rng(0).integers(0, 100, (12, 3, 3, 3))
    kernel = file.constant(values, weights, None if weights.startswith("FLOAT") else 1 / 1350)
    bias = file.constant(np.zeros(12), "FLOAT32" if scale is None else "INT32")
    file.operator(
        "CONV_2D", (image, kernel, bias), (features,), "Conv2DOptions", strideH=1, strideW=1
    )
    file.operator("DEPTH_TO_SPACE", (features,), (pixels,), "DepthToSpaceOptions", blockSize=2)
    return file.build((image,), (pixels,))


def with_float_ends() -> bytes:
    """As ``enlarging``, floating point turned to bytes before it and back after it."""
    file = TfliteBuilder()
    image = file.tensor((1, SIDE, SIDE, 3), "FLOAT32", scale=None)
    levels = file.add("QUANTIZE", (image,), (1, SIDE, SIDE, 3))
    pixels = file.tensor((1, SIDE, SIDE, 3), "FLOAT32", scale=None)
    file.operator("DEQUANTIZE", (levels,), (pixels,))
    return file.build((image,), (pixels,))


def transposed(*, open_sides: tuple[int, ...] = ()) -> bytes:
    """A transposed convolution x2, whose size is computed as Keras has it where it is open."""
    file = TfliteBuilder()
    image = file.tensor((1, SIDE, SIDE, 3), open_sides=open_sides)
    values = np.random.default_rng(0).integers(0, 100, (3, 4, 4, 3))
    kernel = file.constant(values, "INT8", 1 / 600)
    size = file.constant([1, 2 * SIDE, 2 * SIDE, 3])
    if open_sides:
        size = _twice(file, image)
    pixels = file.tensor((1, 2 * SIDE, 2 * SIDE, 3), open_sides=open_sides)
    file.operator(
        "TRANSPOSE_CONV", (size, kernel, image), (pixels,), "TransposeConvOptions",
        strideH=2, strideW=2,
    )  # fmt: skip
    return file.build((image,), (pixels,))


def by_rows(
    *, open_sides: tuple[int, ...] = (), sizes: tuple[int, ...] = (), stacked: bool = False
) -> bytes:
    """Pixels x2 as two rows of blocks, beside each other or stacked, and a RESHAPE.

    ``sizes`` is what the RESHAPE says, computed where it is not given and sides are open.
    """
    file = TfliteBuilder()
    image = file.tensor((1, SIDE, SIDE, 3), open_sides=open_sides)
    random, rows = np.random.default_rng(0), []
    for _ in range(2):
        kernel = file.constant(random.integers(0, 100, (6, 3, 3, 3)), "INT8", 1 / 1350)
        rows.append(file.tensor((1, SIDE, SIDE, 6), open_sides=open_sides))
        file.operator(
            "CONV_2D", (image, kernel, file.constant(np.zeros(6))), (rows[-1],), "Conv2DOptions",
            strideH=1, strideW=1,
        )  # fmt: skip
    if stacked:
        places = tuple(side + (side > 1) for side in open_sides)
        joined = file.tensor((1, SIDE, 2, SIDE, 6), open_sides=places)
        file.operator("PACK", tuple(rows), (joined,), "PackOptions", axis=2, valuesCount=2)
    else:
        joined = file.tensor((1, SIDE, 2 * SIDE, 6), open_sides=open_sides)
        file.operator("CONCATENATION", tuple(rows), (joined,), "ConcatenationOptions", axis=2)
    shape = (1, 2 * SIDE, 2 * SIDE, 3)
    said = _twice(file, image) if open_sides and not sizes else file.constant(sizes or shape)
    pixels = file.tensor(shape, open_sides=open_sides)
    file.operator("RESHAPE", (joined, said), (pixels,))
    return file.build((image,), (pixels,))


def _twice(file: TfliteBuilder, image: int) -> int:
    """The size of an image twice as large, computed."""
    shape = _whole_number(file, "SHAPE", (image,), (4,), "ShapeOptions", outType=2)
    batch = _picked(file, shape, 0)
    two = file.constant(2)
    sides = [
        _whole_number(file, "MUL", (_picked(file, shape, place), two), (), "MulOptions")
        for place in (1, 2)
    ]
    return _whole_number(
        file, "PACK", (batch, *sides, file.constant(3)), (4,), "PackOptions", valuesCount=4
    )


def _picked(file: TfliteBuilder, shape: int, place: int) -> int:
    begin, end, stride = (file.constant([value]) for value in (place, place + 1, 1))
    return _whole_number(
        file, "STRIDED_SLICE", (shape, begin, end, stride), (), "StridedSliceOptions",
        shrinkAxisMask=1,
    )  # fmt: skip


def _whole_number(
    file: TfliteBuilder, kind: str, inputs: tuple[int, ...], shape: tuple[int, ...], options: str,
    **values: object,
) -> int:  # fmt: skip
    output = file.tensor(shape, "INT32", scale=None)
    file.operator(kind, inputs, (output,), options, **values)
    return output
