"""Graphs that the tests measure, and their TFLite files; conversion runs in the worker."""

from __future__ import annotations

from collections.abc import Callable

from latency_models import LatencyRequest, WeightGranularity, Worker
from search_spaces import (
    Clip,
    DepthToSpace,
    Graph,
    GraphBuilder,
    InputSpec,
    Interpolation,
    Resize,
    TransposedConv,
    zoo,
)

SMALL = InputSpec(64, 96)


def tiny() -> Graph:
    """Two convolutions, x2."""
    net = GraphBuilder()
    return net.image(net.conv(net.conv(net.input, 8, relu=True), 12), 2)


def resized() -> Graph:
    """A bilinear x3 of the image added to the network's, each of which Ethos-U55 leaves alone."""
    net = GraphBuilder()
    features = net.conv(net.conv(net.input, 16, relu=True), 27)
    pixels = net.add_node(DepthToSpace(block=3), features)
    image = net.add_node(Resize(factor=3, interpolation=Interpolation.BILINEAR), net.input)
    return _clipped(net, net.add(pixels, image))


def transposed() -> Graph:
    """FSRCNN's last layer: a 9x9 transposed convolution, x3."""
    net = GraphBuilder()
    features = net.conv(net.input, 16, relu=True)
    return _clipped(net, net.add_node(TransposedConv(filters=3, kernel=9, stride=3), features))


def _clipped(net: GraphBuilder, source: str) -> Graph:
    net.add_node(Clip(), source)
    return Graph(tuple(net._nodes))


GRAPHS: dict[str, Callable[[], Graph]] = {
    "abpn": lambda: zoo.abpn(3),
    "xlsr": lambda: zoo.xlsr(3),
    "tiny": tiny,
    "resized": resized,
    "transposed": transposed,
}


def make_tflite(graph: Graph, spec: InputSpec, seed: int = 0, noise: float = 0.0) -> bytes:
    """The INT8 file of ``graph`` from initial weights, with ``noise`` as if they were trained."""
    import numpy as np
    import tensorflow as tf

    from nas.quantization.conversion import convert
    from nas.training.network import Network

    random = np.random.default_rng(seed)
    network = Network(graph, seed)
    side = graph.multiple * 16
    network.calibrate(tf.constant(random.integers(0, 256, (1, side, side, 3)), tf.float32))
    weights = {
        name: value + (noise * random.standard_t(3, value.shape)).astype(np.float32)
        if name.endswith(("/kernel", "/bias"))
        else value
        for name, value in network.snapshot().items()
    }
    return convert(graph, weights, spec, WeightGranularity.CHANNEL)


def make_float_tflite() -> bytes:
    """One convolution and DEPTH_TO_SPACE in floating point."""
    import tensorflow as tf

    kernel = tf.constant(0.1, shape=[3, 3, 3, 12])

    def model(image: tf.Tensor) -> tf.Tensor:
        return tf.nn.depth_to_space(tf.nn.conv2d(image, kernel, 1, "SAME"), 2)

    image = tf.TensorSpec([1, SMALL.height, SMALL.width, 3], tf.float32)
    concrete = tf.function(model, autograph=False).get_concrete_function(image)
    return bytes(tf.lite.TFLiteConverter.from_concrete_functions([concrete]).convert())


class Models:
    """Files, each converted once in one worker; requests for them."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._files: dict[tuple[object, ...], bytes] = {}

    def tflite(self, graph: Graph, spec: InputSpec = SMALL, noise: float = 0.0) -> bytes:
        key = (graph, spec, noise)
        if key not in self._files:
            self._files[key] = self._worker.call(300, make_tflite, graph, spec, noise=noise)
        return self._files[key]

    def float_tflite(self) -> bytes:
        return self._worker.call(300, make_float_tflite)

    def request(self, graph: Graph, spec: InputSpec = SMALL, noise: float = 0.0) -> LatencyRequest:
        return LatencyRequest.of_graph(graph, spec, lambda: self.tflite(graph, spec, noise))
