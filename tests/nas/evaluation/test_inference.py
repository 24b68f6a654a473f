"""Integer models on images of any size, in a worker."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest

from latency_models import WeightGranularity, Worker, WorkerError
from nas.data.pixels import Pixels
from nas.evaluation.inference import AnySizeUpscaler, TfliteUpscaler, open_upscaler
from nas.quantization.conversion import convert
from nas.training.interpretation import Interpreter, Mode
from nas.training.job import Weights
from nas.training.network import Network
from nas.training.tensorflow_quietly import tf
from search_spaces import (
    Candidate,
    Graph,
    GraphBuilder,
    InputError,
    InputSpec,
    Mean,
    PixelShuffle,
    Resize,
    SpaceToDepth,
    TransposedConv,
)
from tests.latency_models.tflite_builder import TfliteBuilder
from tests.search_spaces.conversion import random_weights

WHOLE = InputSpec(50, 64)
TILE = InputSpec(20, 24)


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker() as child:
        yield child


def image(spec: InputSpec, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (spec.height, spec.width, 3), np.uint8)


def plain() -> Graph:
    """Sees two pixels to each side; x3."""
    net = GraphBuilder()
    return net.image(net.conv(net.conv(net.input, 8, relu=True), 27), 3)


def folded() -> Graph:
    """Works on blocks of 2x2 pixels; x2."""
    net = GraphBuilder()
    features = net.conv(net.add_node(SpaceToDepth(), net.input), 12, relu=True)
    return net.image(net.conv(features, 48), 4)


def nearest() -> Graph:
    """Only repeats pixels; x3."""
    net = GraphBuilder()
    net.add_node(Resize(factor=3), net.input)
    return net.graph


def transposed() -> Graph:
    """Makes its pixels by a transposed convolution; x3."""
    net = GraphBuilder()
    features = net.conv(net.input, 8, relu=True)
    net.add_node(TransposedConv(filters=3, kernel=9, stride=3), features)
    return net.graph


def by_rows() -> Graph:
    """``plain``, its pixels made row by row; x3."""
    return Candidate(plain()).shuffled(PixelShuffle.ROWS).deployed


def global_mean() -> Graph:
    """Every pixel depends on all of them."""
    net = GraphBuilder()
    features = net.conv(net.input, 8, relu=True)
    features = net.add(features, net.conv(net.add_node(Mean(), features), 8, kernel=1))
    return net.image(net.conv(features, 27), 3)


@cache
def calibrated(make_graph: object) -> tuple[Graph, Weights]:
    assert callable(make_graph)
    graph: Graph = make_graph()
    network = Network(graph)
    network.restore(random_weights(network, 1))
    network.calibrate(tf.constant(image(WHOLE)[np.newaxis], tf.float32))
    return graph, network.snapshot()


@cache
def tflite(make_graph: object, spec: InputSpec | None) -> bytes:
    return convert(*calibrated(make_graph), spec, WeightGranularity.CHANNEL)


@pytest.mark.parametrize("make_graph", [plain, folded])
def test_tiles_equal_a_model_of_the_images_size(make_graph: object, worker: Worker) -> None:
    lr = image(WHOLE, 3)
    whole = TfliteUpscaler(tflite(make_graph, WHOLE), worker).upscale(lr)
    tiled = TfliteUpscaler(tflite(make_graph, TILE), worker, threads=2).upscale(lr)
    assert whole.std() > 5
    np.testing.assert_array_equal(tiled, whole)


@pytest.mark.parametrize("size", [(20, 24), (7, 5), (1, 1), (20, 31), (45, 24)])
def test_any_size(size: tuple[int, int], worker: Worker) -> None:
    lr = image(InputSpec(*size))
    upscaler = TfliteUpscaler(tflite(nearest, TILE), worker)
    assert (upscaler.input, upscaler.scale) == (TILE, 3)
    np.testing.assert_array_equal(upscaler.upscale(lr), lr.repeat(3, 0).repeat(3, 1))


@pytest.mark.parametrize("make_graph", [plain, folded, nearest, transposed, by_rows, global_mean])
def test_a_small_image_is_one_that_goes_on_as_it_ends(make_graph: object, worker: Worker) -> None:
    upscaler = TfliteUpscaler(tflite(make_graph, WHOLE), worker)
    for size in (InputSpec(20, 24), InputSpec(7, 64), InputSpec(50, 9), InputSpec(20, 24)):
        lr, below, right = image(size), WHOLE.height - size.height, WHOLE.width - size.width
        continued = np.pad(lr, ((0, below), (0, right), (0, 0)), mode="edge")
        expected = upscaler.upscale(continued)
        rows, columns = (side * upscaler.scale for side in lr.shape[:2])
        np.testing.assert_array_equal(upscaler.upscale(lr), expected[:rows, :columns])


@pytest.mark.parametrize("make_graph", [plain, folded, nearest, global_mean])
def test_a_model_with_open_sides_is_one_of_each_image_s_size(
    make_graph: object, worker: Worker
) -> None:
    upscaler = open_upscaler(tflite(make_graph, None), worker, threads=2)
    assert isinstance(upscaler, AnySizeUpscaler)
    for spec in (WHOLE, TILE, WHOLE):
        lr = image(spec, 3)
        fixed = open_upscaler(tflite(make_graph, spec), worker, threads=2)
        assert isinstance(fixed, TfliteUpscaler)
        assert upscaler.scale == fixed.scale
        np.testing.assert_array_equal(upscaler.upscale(lr), fixed.upscale(lr))
        np.testing.assert_array_equal(np.concatenate([*upscaler.strips(lr)]), fixed.upscale(lr))


def test_a_model_with_open_sides_that_works_on_blocks(worker: Worker) -> None:
    upscaler = open_upscaler(tflite(folded, None), worker)
    lr = image(InputSpec(7, 5))
    continued = np.pad(lr, ((0, 1), (0, 1), (0, 0)), mode="edge")
    np.testing.assert_array_equal(upscaler.upscale(lr), upscaler.upscale(continued)[:14, :10])


def test_strips_are_the_rows_of_the_image(worker: Worker) -> None:
    lr = image(WHOLE)
    upscaler = TfliteUpscaler(tflite(plain, TILE), worker)
    parts = list(upscaler.strips(lr))
    assert len(parts) > 2
    np.testing.assert_array_equal(np.concatenate(parts), upscaler.upscale(lr))


def converter_of(model: Callable[[Any], Any], side: int | None = 8) -> Any:
    """TensorFlow's converter for a function of square images, or of any."""
    levels = tf.TensorSpec([1, side, side, 3], tf.float32)
    function = tf.function(model, autograph=False).get_concrete_function(levels)
    return tf.lite.TFLiteConverter.from_concrete_functions([function])


def as_bytes(converter: Any, dtype: Any) -> bytes:
    """A model with ``dtype`` at both ends."""
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type = converter.inference_output_type = dtype
    model: bytes = converter.convert()
    return model


@pytest.mark.parametrize("side", [8, None])
def test_bytes_without_a_sign(side: int | None, worker: Worker) -> None:
    interpreter = Interpreter(nearest())
    converter = converter_of(lambda levels: interpreter({}, levels, Mode(quantize=True)), side)
    lr = image(InputSpec(8, 8))
    result = open_upscaler(as_bytes(converter, tf.uint8), worker).upscale(lr)
    np.testing.assert_array_equal(result, lr.repeat(3, 0).repeat(3, 1))


def test_a_dead_worker_is_replaced(worker: Worker) -> None:
    lr = image(TILE)
    upscaler = TfliteUpscaler(tflite(plain, TILE), worker)
    before = upscaler.upscale(lr)
    with pytest.raises(WorkerError, match="died"):
        worker.call(30, signal.raise_signal, signal.SIGKILL)
    np.testing.assert_array_equal(upscaler.upscale(lr), before)


def test_more_models_than_a_worker_keeps(worker: Worker) -> None:
    lr = image(InputSpec(6, 6))
    upscalers = [
        TfliteUpscaler(tflite(nearest, InputSpec(side, side)), worker) for side in range(6, 13)
    ]
    for _ in range(2):
        results = [upscaler.upscale(lr) for upscaler in upscalers]
        assert all((result == results[0]).all() for result in results)


def test_whole_image_dependence_is_not_cut(worker: Worker) -> None:
    upscaler = TfliteUpscaler(tflite(global_mean, TILE), worker)
    assert upscaler.upscale(image(TILE)).shape == (60, 72, 3)
    with pytest.raises(InputError, match="needs the whole image at once"):
        upscaler.upscale(image(WHOLE))


def test_an_image_of_the_models_size_needs_no_tiles(worker: Worker) -> None:
    file = TfliteBuilder()
    source = file.tensor((1, 8, 8, 3))
    pixels = file.add(
        "RESIZE_BILINEAR", (source, file.constant([16, 16])), (1, 16, 16, 3),
        "ResizeBilinearOptions", alignCorners=True,
    )  # fmt: skip
    upscaler = TfliteUpscaler(file.build((source,), (pixels,)), worker)
    assert upscaler.upscale(image(InputSpec(8, 8))).shape == (16, 16, 3)
    for other in (InputSpec(8, 9), InputSpec(7, 8)):
        with pytest.raises(InputError, match=f"images of 8x8 only, not {other}: .* aligns corners"):
            upscaler.upscale(image(other))


def test_a_model_too_small_to_cut_with(worker: Worker) -> None:
    upscaler = TfliteUpscaler(tflite(plain, InputSpec(4, 4)), worker)
    with pytest.raises(InputError, match="too small to cut"):
        upscaler.upscale(image(WHOLE))


def test_open_sides_and_no_image(worker: Worker) -> None:
    interpreter = Interpreter(nearest())

    def twice(levels: Any) -> Any:
        return tf.concat([interpreter({}, levels, Mode(quantize=True))] * 2, 3)

    with pytest.raises(InputError, match="6 channels, not the 3 of RGB"):
        open_upscaler(as_bytes(converter_of(twice, None), tf.int8), worker)


@pytest.mark.parametrize("data", [b"", b"garbage", b"\0" * 4096, os.urandom(999)])
def test_garbage(data: bytes, worker: Worker) -> None:
    with pytest.raises(InputError):
        TfliteUpscaler(data, worker)


def test_a_truncated_model(worker: Worker) -> None:
    model = tflite(plain, TILE)
    for kept in (20, len(model) // 3, len(model) // 2):
        with pytest.raises(InputError):
            TfliteUpscaler(model[:kept], worker)


def test_a_float_model(worker: Worker) -> None:
    converter = converter_of(lambda levels: tf.nn.depth_to_space(tf.tile(levels, [1, 1, 1, 4]), 2))
    with pytest.raises(InputError, match="not integer-only"):
        TfliteUpscaler(converter.convert(), worker)
