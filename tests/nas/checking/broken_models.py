"""A clean x2 network and its broken brothers, each made by the real converter, in the worker."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from latency_models import WeightGranularity
from search_spaces import (
    Clip,
    ClipForm,
    DepthToSpace,
    Graph,
    GraphBuilder,
    InputSpec,
    Interpolation,
    Resize,
)
from search_spaces.graph.builder import Nonlinearity

SPEC = InputSpec(64, 96)


def plain(
    *,
    width: int = 16,
    then: Nonlinearity = Nonlinearity.RELU,
    clip: ClipForm = ClipForm.SATURATE,
) -> Graph:
    """Three convolutions."""
    net = GraphBuilder()
    features = net.conv(net.conv(net.input, width, relu=True), width, then=then)
    return net.image(net.conv(features, 12), 2, clip)


def bilinear() -> Graph:
    """The image enlarged, and a residual upon it."""
    net = GraphBuilder()
    pixels = net.add_node(DepthToSpace(block=2), net.conv(net.conv(net.input, 16, relu=True), 12))
    base = net.add_node(Resize(factor=2, interpolation=Interpolation.BILINEAR), net.input)
    net.add_node(Clip(), net.add(base, pixels))
    return net.graph


def anchor() -> Graph:
    """The image four times, added: ABPN's way."""
    net = GraphBuilder()
    features = net.conv(net.conv(net.input, 16, relu=True), 12)
    return net.image(net.add(features, net.concat(*[net.input] * 4)), 2)


GRAPHS: dict[str, Callable[[], Graph]] = {
    "clean": plain,
    "clip": lambda: plain(clip=ClipForm.OPERATOR),
    "bilinear": bilinear,
    "prelu": lambda: plain(then=Nonlinearity.PRELU),
    "anchor": anchor,
    "36 channels": lambda: plain(width=36),
    "32 channels": lambda: plain(width=32),
}


def of_graph(name: str, spec: InputSpec | None = SPEC) -> bytes:
    """One of ``GRAPHS`` with initial weights, calibrated."""
    from nas.quantization.conversion import convert
    from nas.training.network import Network
    from nas.training.tensorflow_quietly import tf

    network = Network(GRAPHS[name]())
    image = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3))
    network.calibrate(tf.constant(image, tf.float32))
    return convert(network.graph, network.snapshot(), spec, WeightGranularity.CHANNEL)


def by_hand(
    *,
    white: float = 255.0,
    add_quantized: bool = True,
    float_output: bool = False,
    ranges: bool = True,
) -> bytes:
    """Two convolutions and their sum, with fake-quant but where it is left out."""
    from nas.training.tensorflow_quietly import tf

    random = np.random.default_rng(0)
    kernels = [
        tf.constant(random.normal(0, 0.1, (3, 3, *shape)), tf.float32)
        for shape in ((3, 16), (16, 16), (16, 12))
    ]

    def on_levels(tensor: tf.Tensor, low: float, high: float) -> tf.Tensor:
        return tf.quantization.fake_quant_with_min_max_args(tensor, low, high) if ranges else tensor

    def conv(tensor: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        if ranges:
            kernel = tf.quantization.fake_quant_with_min_max_args(kernel, -1, 1, narrow_range=True)
        return tf.nn.conv2d(tensor, kernel, 1, "SAME")

    def model(image: tf.Tensor) -> tf.Tensor:
        image = on_levels(image, 0, 255)
        first = on_levels(tf.nn.relu(conv(image, kernels[0])), 0, 500)
        second = on_levels(conv(first, kernels[1]), -500, 500)
        total = first + second
        if add_quantized:
            total = on_levels(total, -500, 1000)
        pixels = tf.nn.depth_to_space(conv(total, kernels[2]), 2)
        return on_levels(pixels, 0, white)

    image = tf.TensorSpec([1, SPEC.height, SPEC.width, 3], tf.float32)
    concrete = tf.function(model, autograph=False).get_concrete_function(image)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if ranges:
        converter.inference_input_type = tf.int8
        converter.inference_output_type = tf.float32 if float_output else tf.int8
    return bytes(converter.convert())
