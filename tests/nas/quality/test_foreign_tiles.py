"""Tiles equal the whole image for random models of operators that shift and stretch it."""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from latency_models.tflite.requests import (
    read_tflite,
    require_super_resolution,
    resized,
    tiling_of_model,
)
from nas.data.pixels import Pixels
from nas.quality.tiles import cropped_tile, spans, upscale_tiled
from search_spaces import InputError, InputSpec

from .rows_of_blocks import ROWS_OF_BLOCKS
from .shifting_models import STEPS, DoesNotFitError, Step, conv, make_model


def runner(model: bytes) -> Any:
    interpreter = Interpreter(model_content=model)
    interpreter.allocate_tensors()
    source, result = interpreter.get_input_details()[0], interpreter.get_output_details()[0]

    def run(lr: Pixels) -> Pixels:
        interpreter.set_tensor(source["index"], (lr ^ np.uint8(128)).view(np.int8)[np.newaxis])
        interpreter.invoke()
        levels: Pixels = interpreter.get_tensor(result["index"])[0].view(np.uint8)
        return levels ^ np.uint8(128)

    return run


@settings(max_examples=200)
@given(
    st.lists(st.one_of(STEPS, ROWS_OF_BLOCKS), min_size=1, max_size=4),
    st.integers(24, 40),
    st.integers(24, 40),
    st.integers(1, 30),
    st.integers(1, 30),
    st.integers(0, 9),
)
def test_tiles_equal_the_whole(
    steps: list[Step], height: int, width: int, more_rows: int, more_columns: int, crop: int
) -> None:
    tile, lr = InputSpec(height, width), (height + more_rows, width + more_columns)
    assert_tiles_equal_the_whole(steps, tile, lr, crop)


@settings(max_examples=60)
@given(ROWS_OF_BLOCKS, st.booleans(), st.integers(9, 12), st.integers(9, 12))
def test_pixels_made_by_rows_of_blocks(step: Step, blurred: bool, height: int, width: int) -> None:
    after = [conv((3, 3), 1, 1, same=True, depthwise=True)] if blurred else []
    assert_tiles_equal_the_whole([step, *after], InputSpec(height, width), (17, 15), 0)


@settings(max_examples=150)
@given(
    st.lists(st.one_of(STEPS, ROWS_OF_BLOCKS), min_size=1, max_size=4),
    st.integers(1, 20),
    st.integers(1, 20),
    st.integers(0, 9),
)
def test_a_model_made_smaller_for_a_small_image(
    steps: list[Step], height: int, width: int, crop: int
) -> None:
    tile = InputSpec(48, 40)
    lr = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
    try:
        large, scale = make_model(steps, tile, crop)
        tiling = tiling_of_model(read_tflite(large), scale)
    except (DoesNotFitError, InputError):
        assume(False)
    cropped = cropped_tile(lr, tile, tiling)
    small = resized(large, cropped)
    assume(cropped != tile and small is not None)
    assert small is not None
    assert require_super_resolution(read_tflite(small)).input == cropped
    made, expected = (
        upscale_tiled(lr, spec, tiling, scale, runner(model))
        for spec, model in ((cropped, small), (tile, large))
    )
    np.testing.assert_array_equal(made, expected)


def assert_tiles_equal_the_whole(
    steps: list[Step], tile: InputSpec, lr_size: tuple[int, int], crop: int
) -> None:
    try:
        small, scale = make_model(steps, tile, crop)
    except DoesNotFitError:
        assume(False)
    model = read_tflite(small)
    assert require_super_resolution(model).scale == scale
    try:
        tiling = tiling_of_model(model, scale)
    except InputError as error:  # the tile has fewer pixels than are mirrored
        assume("MIRROR_PAD" not in str(error))
        raise
    assert tiling
    lr = np.random.default_rng(1).integers(0, 256, (*lr_size, 3), np.uint8)
    try:
        whole = InputSpec(
            spans(lr.shape[0], tile.height, tiling.rows)[-1].start + tile.height,
            spans(lr.shape[1], tile.width, tiling.columns)[-1].start + tile.width,
        )
    except InputError:  # too small a tile
        assume(False)
    tiled = upscale_tiled(lr, tile, tiling, scale, runner(small))
    large, _ = make_model(steps, whole, crop)
    continued = np.pad(
        lr, ((0, whole.height - len(lr)), (0, whole.width - lr.shape[1]), (0, 0)), mode="edge"
    )
    expected = runner(large)(continued)[: scale * len(lr), : scale * lr.shape[1]]
    np.testing.assert_array_equal(tiled, expected)
