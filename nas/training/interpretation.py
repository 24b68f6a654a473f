"""How a graph computes: a plain interpretation, one small function per operator.

The values of a network are those of the network normalized to images of 0..1, where every
initialization and learning rate is the usual one; its tensors are real grey levels 0..255, so that
the exported model counts in levels. The ``units`` of the graph's analysis lead from one to the
other: bias and range times the unit of the output, kernel times the unit of the output over that of
the input.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import singledispatch

import numpy as np

from latency_models import WeightGranularity
from search_spaces import (
    INPUT,
    LEVELS,
    Activation,
    Graph,
    Node,
    Operator,
    Tensors,
    merged_kernel,
    own_values,
    quantization_groups,
)
from search_spaces.graph import activations, convolutions, operators

from ..quantization.fake_quantization import (
    MIN_RANGE,
    fake_quantize,
    fake_quantize_fixed,
    fake_quantize_weights,
)
from ..system.cores import has_bfloat16
from .tensorflow_quietly import tf
from .weights import range_key

_CONVOLUTIONS = (convolutions.Conv, convolutions.DepthwiseConv, convolutions.TransposedConv)
#: "node/variable" (kernel, bias, alpha) and "range/tensor/bound" (low, high) -> float32
Values = Mapping[str, tf.Tensor]


@dataclass(frozen=True)
class Mode:
    """How a network is run: with INT8 rounding or without, how precisely, to train or to use."""

    quantize: bool
    granularity: WeightGranularity = WeightGranularity.CHANNEL
    #: convolutions multiply bfloat16. Without INT8 rounding features keep it from one convolution
    #: to the next; what no convolution reads any more, the image, is float32
    bfloat16: bool = False
    #: as a step of training sees it: kernels are rounded behind the last one, all at once and
    #: better than one by one (``rounding``), and pixels are clipped when there is no gradient left
    training: bool = False


@dataclass(frozen=True)
class _Variables:
    """What an operator's function needs of its surroundings."""

    values: Values
    unit_in: float
    unit_out: float
    mode: Mode
    #: of the result
    dtype: tf.DType
    #: is it the image that is made here?
    last: bool

    def kernel(self, normalized: tf.Tensor, *, transposed: bool = False) -> tf.Tensor:
        """In levels, rounded if the mode says so."""
        kernel = normalized * (self.unit_out / self.unit_in)
        if self.mode.quantize and not self.mode.training:
            kernel = fake_quantize_weights(kernel, self.mode.granularity, transposed=transposed)
        return kernel

    def finish(self, result: tf.Tensor, activation: Activation) -> tf.Tensor:
        """Adds the bias, if there is one, and applies the fused activation."""
        result = tf.cast(result, self.dtype)
        if "bias" in self.values:
            bias = tf.cast(self.values["bias"] * self.unit_out, self.dtype)
            result = tf.nn.bias_add(result, bias)  # together with the convolution, one kernel
        return _activate(result, activation)


class Interpreter:
    """Runs one graph on any values of it."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.tensors: Tensors = quantization_groups(graph)
        self._groups = {name: group for group in self.tensors.groups for name in group.tensors}
        self._features = _features(graph)

    def __call__(self, values: Values, images: tf.Tensor, mode: Mode) -> tf.Tensor:
        """Float32 grey levels (N, H, W, 3) to (N, scale H, scale W, 3)."""
        return self.run(values, images, mode)[self.graph.nodes[-1].name]

    def run(self, values: Values, images: tf.Tensor, mode: Mode) -> dict[str, tf.Tensor]:
        """Every tensor of the graph by its name."""
        tensors = {INPUT: self._quantized(values, INPUT, images, mode)}
        for index, node in enumerate(self.graph.nodes):
            with _in_order(index):
                at = self._variables(values, node, mode)
                inputs = [tensors[name] for name in node.inputs]
                if not isinstance(node.operator, _CONVOLUTIONS):  # which have a type of their own
                    inputs = [tf.cast(tensor, at.dtype) for tensor in inputs]
                result = tf.cast(interpret(node.operator, inputs, at), at.dtype)
                tensors[node.name] = self._quantized(values, node.name, result, mode)
        return tensors

    def _variables(self, values: Values, node: Node, mode: Mode) -> _Variables:
        own = own_values(values, node.name)
        units, last = self.tensors.units, node is self.graph.nodes[-1]
        narrow = mode.bfloat16 and not mode.quantize and node.name in self._features
        dtype = tf.bfloat16 if narrow else tf.float32
        return _Variables(own, units[node.inputs[0]], units[node.name], mode, dtype, last)

    def _quantized(self, values: Values, name: str, tensor: tf.Tensor, mode: Mode) -> tf.Tensor:
        if not mode.quantize:
            return tensor
        group = self._groups[name]
        if group.fixed is not None:
            return fake_quantize_fixed(tensor, group.fixed)
        low, high = (values[f"{range_key(group)}/{bound}"] for bound in ("low", "high"))
        unit = self.tensors.units[group.tensors[0]]
        floor = 0.0 if group.positive else tf.minimum(low, 0.0) * unit
        return fake_quantize(tensor, floor, tf.maximum(high, MIN_RANGE) * unit)


def _features(graph: Graph) -> frozenset[str]:
    """Tensors that a later convolution reads, by itself or through other operators."""
    found: set[str] = set()
    for node in reversed(graph.nodes):
        if node.name in found or isinstance(node.operator, _CONVOLUTIONS):
            found.update(node.inputs)
    return frozenset(found)


@contextmanager
def _in_order(index: int) -> Iterator[None]:
    """What is built within comes ``index``-th in the converted file.

    The converter walks a graph from its sources, last name first, and puts what is finished in
    front: so each node gets a source of its own, named by its place.
    """
    with tf.name_scope(f"node_{index:05d}"), tf.control_dependencies([tf.constant(index)]):
        yield


def _activate(tensor: tf.Tensor, activation: Activation) -> tf.Tensor:
    return tf.nn.relu(tensor) if activation is Activation.RELU else tensor


@singledispatch
def interpret(operator: Operator, inputs: list[tf.Tensor], at: _Variables) -> tf.Tensor:
    """``operator`` applied to ``inputs``."""
    raise TypeError(f"no interpretation of {operator.kind}")


def _in_precision(at: _Variables, *tensors: tf.Tensor, groups: int = 1) -> list[tf.Tensor]:
    """As a convolution of so many ``groups`` takes them.

    On a processor without bfloat16, TensorFlow has no gradient of grouped ones in it.
    """
    narrow = at.mode.bfloat16 and (groups == 1 or has_bfloat16())
    return [tf.cast(tensor, tf.bfloat16 if narrow else tf.float32) for tensor in tensors]


@interpret.register
def _(operator: convolutions.Conv, inputs: list[tf.Tensor], at: _Variables) -> tf.Tensor:
    kernel = at.kernel(merged_kernel(operator, at.values, tf.einsum))
    x, kernel = _in_precision(at, inputs[0], kernel, groups=operator.groups)
    result = tf.nn.conv2d(
        x, kernel, operator.stride, _padding(operator.padding), dilations=operator.dilation
    )
    return at.finish(result, operator.activation)


@interpret.register
def _(operator: convolutions.DepthwiseConv, inputs: list[tf.Tensor], at: _Variables) -> tf.Tensor:
    strides = [1, operator.stride, operator.stride, 1]
    # Per channel means per input channel here: the third axis, which is brought to the end.
    kernel = at.kernel(tf.transpose(at.values["kernel"], [0, 1, 3, 2]))
    result = tf.nn.depthwise_conv2d(
        tf.cast(inputs[0], tf.float32),
        tf.transpose(kernel, [0, 1, 3, 2]),
        strides,
        _padding(operator.padding),
        dilations=[operator.dilation] * 2,
    )
    return at.finish(result, operator.activation)


@interpret.register
def _(operator: convolutions.TransposedConv, inputs: list[tf.Tensor], at: _Variables) -> tf.Tensor:
    shape, stride = tf.shape(inputs[0]), operator.stride
    static = inputs[0].shape
    size = [
        static[0] or shape[0],
        (static[1] or shape[1]) * stride,
        (static[2] or shape[2]) * stride,
        operator.filters,
    ]
    kernel = at.kernel(at.values["kernel"], transposed=True)
    x, kernel = _in_precision(at, inputs[0], kernel)
    result = tf.nn.conv2d_transpose(x, kernel, size, stride, "SAME")
    return at.finish(result, Activation.NONE)


def _padding(padding: convolutions.Padding) -> str:
    return padding.value.upper()


@interpret.register
def _(operator: operators.Add, inputs: list[tf.Tensor], at: _Variables) -> tf.Tensor:
    return _activate(inputs[0] + inputs[1], operator.activation)


@interpret.register
def _(operator: operators.Subtract, inputs: list[tf.Tensor], at: _Variables) -> tf.Tensor:
    return _activate(inputs[0] - inputs[1], operator.activation)


@interpret.register
def _(operator: operators.Multiply, inputs: list[tf.Tensor], at: _Variables) -> tf.Tensor:
    return _activate(inputs[0] * inputs[1], operator.activation)


@interpret.register
def _(operator: operators.Concat, inputs: list[tf.Tensor], at: _Variables) -> tf.Tensor:
    return tf.concat(inputs, axis=-1)


@interpret.register
def _(operator: operators.Split, inputs: list[tf.Tensor], at: _Variables) -> tf.Tensor:
    return tf.split(inputs[0], operator.parts, axis=-1)[operator.index]


@interpret.register
def _(operator: operators.Slice, inputs: list[tf.Tensor], at: _Variables) -> tf.Tensor:
    return inputs[0][..., operator.begin : operator.begin + operator.size]


@interpret.register
def _(operator: activations.Relu, inputs: list[tf.Tensor], at: _Variables) -> tf.Tensor:
    return tf.nn.relu(inputs[0])


@interpret.register
def _(operator: activations.LeakyRelu, inputs: list[tf.Tensor], at: _Variables) -> tf.Tensor:
    return tf.nn.leaky_relu(inputs[0], operator.alpha)


@interpret.register
def _(operator: activations.PRelu, inputs: list[tf.Tensor], at: _Variables) -> tf.Tensor:
    # Keras' way to write it, slopes of three axes: the converter knows PRELU by nothing else.
    (x,), slopes = inputs, tf.cast(at.values["alpha"], at.dtype)[tf.newaxis, tf.newaxis]
    return tf.nn.relu(x) + -slopes * tf.nn.relu(-x)


@interpret.register
def _(operator: activations.Sigmoid, inputs: list[tf.Tensor], at: _Variables) -> tf.Tensor:
    return tf.sigmoid(tf.cast(inputs[0], tf.float32))  # four times as fast as in bfloat16


@interpret.register
def _(operator: activations.Tanh, inputs: list[tf.Tensor], at: _Variables) -> tf.Tensor:
    return tf.tanh(inputs[0])


@interpret.register
def _(operator: activations.HardSwish, inputs: list[tf.Tensor], at: _Variables) -> tf.Tensor:
    # In this order: the converter knows HARD_SWISH by nothing else.
    return inputs[0] * tf.nn.relu6(inputs[0] + 3.0) * (1 / 6)


@interpret.register
def _(operator: activations.Clip, inputs: list[tf.Tensor], at: _Variables) -> tf.Tensor:
    (x,) = inputs
    if at.mode.training and at.last:
        return x  # a hard clip has no gradient outside, and a net may start outside
    if operator.form is activations.ClipForm.OPERATOR:
        return tf.nn.relu(tf.minimum(x, LEVELS))
    return x if at.mode.quantize else tf.clip_by_value(x, 0.0, LEVELS)


@interpret.register
def _(operator: operators.DepthToSpace, inputs: list[tf.Tensor], at: _Variables) -> tf.Tensor:
    return tf.nn.depth_to_space(inputs[0], operator.block)


@interpret.register
def _(operator: operators.ShuffleRows, inputs: list[tf.Tensor], at: _Variables) -> tf.Tensor:
    rows, block = tf.concat(inputs, axis=2), len(inputs)
    # The converter reshapes to constants where sizes are known.
    batch, height, width, channels = inputs[0].shape
    if None in (batch, height, width):
        batch, height, width = tf.unstack(tf.shape(inputs[0])[:3])
    return tf.reshape(rows, (batch, height * block, width * block, channels // block))


@interpret.register
def _(operator: operators.SpaceToDepth, inputs: list[tf.Tensor], at: _Variables) -> tf.Tensor:
    return tf.nn.space_to_depth(inputs[0], operator.block)


@interpret.register
def _(operator: operators.Resize, inputs: list[tf.Tensor], at: _Variables) -> tf.Tensor:
    size = tf.shape(inputs[0])[1:3] * operator.factor
    nearest = operator.interpolation is operators.Interpolation.NEAREST
    return tf.image.resize(inputs[0], size, "nearest" if nearest else "bilinear")


@interpret.register
def _(operator: operators.Tile, inputs: list[tf.Tensor], at: _Variables) -> tf.Tensor:
    return tf.tile(inputs[0], [1, 1, 1, operator.count])


@interpret.register
def _(operator: operators.NearestConv, inputs: list[tf.Tensor], at: _Variables) -> tf.Tensor:
    channels = inputs[0].shape[-1]
    repeated = np.tile(np.eye(channels, dtype=np.float32), operator.count)
    kernel = at.kernel(tf.constant(repeated[np.newaxis, np.newaxis]))
    return tf.nn.conv2d(tf.cast(inputs[0], tf.float32), kernel, 1, "SAME")


@interpret.register
def _(operator: operators.Pad, inputs: list[tf.Tensor], at: _Variables) -> tf.Tensor:
    border = [operator.border] * 2
    return tf.pad(inputs[0], [[0, 0], border, border, [0, 0]])


@interpret.register
def _(operator: operators.Mean, inputs: list[tf.Tensor], at: _Variables) -> tf.Tensor:
    return tf.reduce_mean(tf.cast(inputs[0], tf.float32), axis=[1, 2], keepdims=True)


@interpret.register
def _(operator: operators.Pool, inputs: list[tf.Tensor], at: _Variables) -> tf.Tensor:
    largest = operator.reduction is operators.Reduction.MAX
    # Others of TensorFlow take no stride that is longer than the window.
    pool = tf.nn.max_pool2d if largest else tf.nn.avg_pool2d
    return pool(tf.cast(inputs[0], tf.float32), operator.size, operator.stride, "SAME")
