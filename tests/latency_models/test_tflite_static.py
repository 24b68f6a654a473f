"""Files with open sizes become those that a static export gives."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from latency_models import Worker
from latency_models.tflite.requests import (
    operators_of,
    read_tflite,
    request_of_file,
    tiling_of_model,
    with_fixed_sizes,
)
from search_spaces import InputError, InputSpec, Margins, Tiling

from .foreign_models import SIDE, by_rows, enlarging, transposed

SIZE = InputSpec(SIDE, SIDE)


def pixels(model: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.int8]]:
    interpreter = Interpreter(model_content=model)
    interpreter.allocate_tensors()
    (source,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
    image = np.random.default_rng(0).integers(-128, 128, source["shape"], np.int8)
    interpreter.set_tensor(source["index"], image)
    interpreter.invoke()
    return np.asarray(interpreter.get_tensor(result["index"]))


by_stacked_rows = functools.partial(by_rows, stacked=True)


@pytest.mark.parametrize("make", [enlarging, transposed, by_rows, by_stacked_rows])
@pytest.mark.parametrize("open_sides", [(0,), (0, 1, 2), (1, 2), (2,)])
def test_a_file_is_that_of_a_static_export(
    make: object, open_sides: tuple[int, ...], worker: Worker
) -> None:
    assert callable(make)
    opened, static = make(open_sides=open_sides), make()
    fixed = with_fixed_sizes(opened, worker, SIZE)
    assert not any(tensor.dynamic for tensor in read_tflite(fixed).inputs)
    kinds = [(operator.kind, operator.outputs[0].shape) for operator in operators_of(fixed)]
    assert kinds == [
        (operator.kind, operator.outputs[0].shape) for operator in operators_of(static)
    ]
    np.testing.assert_array_equal(pixels(fixed), pixels(static))


def test_other_sizes(worker: Worker) -> None:
    fixed = with_fixed_sizes(transposed(open_sides=(1, 2)), worker, InputSpec(8, 24))
    (operator,) = operators_of(fixed)
    assert operator.outputs[0].shape == (16, 48, 3)


@pytest.mark.parametrize("make", [by_rows, by_stacked_rows])
def test_rows_of_blocks_of_other_sizes(make: Callable[..., bytes], worker: Worker) -> None:
    fixed = read_tflite(with_fixed_sizes(make(open_sides=(1, 2)), worker, InputSpec(8, 24)))
    assert fixed.outputs[0].shape == (1, 16, 48, 3)
    assert tiling_of_model(fixed, 2) == Tiling(Margins(1, 1, 1), Margins(1, 1, 1))


LARGE = (1, 2 * SIDE, 2 * SIDE, 3)


def test_a_reshape_to_one_size_fits_that_one(worker: Worker) -> None:
    fixed = with_fixed_sizes(by_rows(open_sides=(1, 2), sizes=LARGE), worker, SIZE)
    np.testing.assert_array_equal(pixels(fixed), pixels(by_rows()))
    of_any_batch = by_rows(open_sides=(0,), sizes=(-1, *LARGE[1:]))
    np.testing.assert_array_equal(pixels(with_fixed_sizes(of_any_batch, worker)), pixels(by_rows()))


@pytest.mark.parametrize("asked", [None, InputSpec(8, 24)])
@pytest.mark.parametrize("open_sides", [(0, 1, 2), (1, 2), (2,)])
def test_a_reshape_to_one_size_fits_no_other(
    open_sides: tuple[int, ...], asked: InputSpec | None, worker: Worker
) -> None:
    """Its input is open in name only."""
    data = by_rows(open_sides=open_sides, sizes=LARGE)
    with pytest.raises(InputError, match=r"RESHAPE .* makes \(1, 32, 32, 3\) of images of any"):
        with_fixed_sizes(data, worker, asked)


def test_a_file_of_one_size_is_no_other_request(worker: Worker) -> None:
    other = InputSpec(8, 24)
    with pytest.raises(InputError, match="takes 16x16 images only, not 8x24"):
        request_of_file("rows", with_fixed_sizes(by_rows(), worker, other), other)


def test_an_open_batch_needs_no_size(worker: Worker) -> None:
    model = read_tflite(with_fixed_sizes(transposed(open_sides=(0,)), worker))
    assert [tensor.shape for tensor in model.outputs] == [(1, 2 * SIDE, 2 * SIDE, 3)]
    assert not any(tensor.dynamic for op in model.operators for tensor in op.outputs)


@pytest.mark.parametrize("data", [enlarging(), enlarging(open_sides=(1, 2))])
def test_what_cannot_be_fixed_stays_as_it_is(data: bytes, worker: Worker) -> None:
    assert with_fixed_sizes(data, worker) is data
