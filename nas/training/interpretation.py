"""Interprets a graph in TensorFlow, with one small function per operator.

The values (weights and ranges) of a network are normalized to images of 0..1, for which the usual
initializations and learning rates are right. Its tensors are in grey levels of 0..255, as in the
exported model. The ``units`` of the graph's analysis convert the values: biases and ranges are
multiplied by the unit of the output, kernels by the unit of the output over that of the input.
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
#: Float32 values of a network by key: "node/variable" (variable: kernel, bias, alpha, ...) and
#: "range/tensor/bound" (bound: low, high).
Values = Mapping[str, tf.Tensor]


@dataclass(frozen=True)
class Mode:
    """How a network is run: INT8 rounding, weight granularity, precision, training or inference."""

    #: whether tensors and kernels are rounded to INT8 levels (fake quantization)
    quantize: bool
    granularity: WeightGranularity = WeightGranularity.CHANNEL
    #: whether convolutions multiply in bfloat16. Without INT8 rounding, the features between them
    #: are bfloat16 too; tensors that no convolution reads afterwards, as the image, are float32
    bfloat16: bool = False
    #: whether it is a training step: then kernels are not rounded, since ``quantization.rounding``
    #: does that better for all together after the last step, and pixels are not clipped
    training: bool = False


@dataclass(frozen=True)
class _NodeContext:
    """What the function of an operator needs besides the inputs: its values, units and mode."""

    values: Values
    unit_in: float
    unit_out: float
    mode: Mode
    #: data type of the result
    dtype: tf.DType
    #: whether the result is the output of the graph
    is_output: bool

    def kernel(self, normalized: tf.Tensor, *, transposed: bool = False) -> tf.Tensor:
        """Returns the kernel in grey levels, rounded to INT8 levels if the mode requires it."""
        kernel = normalized * (self.unit_out / self.unit_in)
        if self.mode.quantize and not self.mode.training:
            kernel = fake_quantize_weights(kernel, self.mode.granularity, transposed=transposed)
        return kernel

    def finish(self, result: tf.Tensor, activation: Activation) -> tf.Tensor:
        """Adds the bias, if there is one, and applies the fused activation."""
        result = tf.cast(result, self.dtype)
        if "bias" in self.values:
            bias = tf.cast(self.values["bias"] * self.unit_out, self.dtype)
            result = tf.nn.bias_add(result, bias)  # fused with the convolution
        return _activate(result, activation)


class Interpreter:
    """Runs one graph with any values."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.tensors: Tensors = quantization_groups(graph)
        self._groups = {name: group for group in self.tensors.groups for name in group.tensors}
        self._features = _feature_tensors(graph)

    def __call__(self, values: Values, images: tf.Tensor, mode: Mode) -> tf.Tensor:
        """Upscales float32 grey levels (N, H, W, 3) to (N, scale H, scale W, 3)."""
        return self.run(values, images, mode)[self.graph.nodes[-1].name]

    def run(self, values: Values, images: tf.Tensor, mode: Mode) -> dict[str, tf.Tensor]:
        """Returns every tensor of the graph by its name."""
        tensors = {INPUT: self._quantize(values, INPUT, images, mode)}
        for index, node in enumerate(self.graph.nodes):
            with _exported_at(index):
                context = self._context(values, node, mode)
                inputs = [tensors[name] for name in node.inputs]
                if not isinstance(node.operator, _CONVOLUTIONS):  # these cast inputs themselves
                    inputs = [tf.cast(tensor, context.dtype) for tensor in inputs]
                result = tf.cast(interpret(node.operator, inputs, context), context.dtype)
                tensors[node.name] = self._quantize(values, node.name, result, mode)
        return tensors

    def _context(self, values: Values, node: Node, mode: Mode) -> _NodeContext:
        node_values = own_values(values, node.name)
        units, is_output = self.tensors.units, node is self.graph.nodes[-1]
        is_bfloat16 = mode.bfloat16 and not mode.quantize and node.name in self._features
        dtype = tf.bfloat16 if is_bfloat16 else tf.float32
        unit_in, unit_out = units[node.inputs[0]], units[node.name]
        return _NodeContext(node_values, unit_in, unit_out, mode, dtype, is_output)

    def _quantize(self, values: Values, name: str, tensor: tf.Tensor, mode: Mode) -> tf.Tensor:
        if not mode.quantize:
            return tensor
        group = self._groups[name]
        if group.fixed is not None:
            return fake_quantize_fixed(tensor, group.fixed)
        low, high = (values[f"{range_key(group)}/{bound}"] for bound in ("low", "high"))
        unit = self.tensors.units[group.tensors[0]]
        floor = 0.0 if group.positive else tf.minimum(low, 0.0) * unit
        return fake_quantize(tensor, floor, tf.maximum(high, MIN_RANGE) * unit)


def _feature_tensors(graph: Graph) -> frozenset[str]:
    """Returns the tensors that a later convolution reads, directly or through other operators."""
    found: set[str] = set()
    for node in reversed(graph.nodes):
        if node.name in found or isinstance(node.operator, _CONVOLUTIONS):
            found.update(node.inputs)
    return frozenset(found)


@contextmanager
def _exported_at(index: int) -> Iterator[None]:
    """Puts the operators built in the block at place ``index`` in the converted file.

    The converter visits the graph from its sources, in descending order of their names, and puts
    each finished operator in front of the others. So each node gets a source named by its place.
    """
    with tf.name_scope(f"node_{index:05d}"), tf.control_dependencies([tf.constant(index)]):
        yield


def _activate(tensor: tf.Tensor, activation: Activation) -> tf.Tensor:
    return tf.nn.relu(tensor) if activation is Activation.RELU else tensor


@singledispatch
def interpret(operator: Operator, inputs: list[tf.Tensor], context: _NodeContext) -> tf.Tensor:
    """Applies ``operator`` to ``inputs``."""
    raise TypeError(f"no interpretation of {operator.kind}")


def _cast_for_convolution(
    context: _NodeContext, *tensors: tf.Tensor, groups: int = 1
) -> list[tf.Tensor]:
    """Casts ``tensors`` to the type in which a convolution of ``groups`` groups multiplies.

    On a processor without bfloat16, TensorFlow has no gradient of grouped bfloat16 convolutions.
    """
    is_bfloat16 = context.mode.bfloat16 and (groups == 1 or has_bfloat16())
    return [tf.cast(tensor, tf.bfloat16 if is_bfloat16 else tf.float32) for tensor in tensors]


@interpret.register
def _(operator: convolutions.Conv, inputs: list[tf.Tensor], context: _NodeContext) -> tf.Tensor:
    kernel = context.kernel(merged_kernel(operator, context.values, tf.einsum))
    x, kernel = _cast_for_convolution(context, inputs[0], kernel, groups=operator.groups)
    result = tf.nn.conv2d(
        x, kernel, operator.stride, _padding(operator.padding), dilations=operator.dilation
    )
    return context.finish(result, operator.activation)


@interpret.register
def _(
    operator: convolutions.DepthwiseConv, inputs: list[tf.Tensor], context: _NodeContext
) -> tf.Tensor:
    strides = [1, operator.stride, operator.stride, 1]
    # Scales per channel are per input channel here: the third axis, which is moved to the end.
    kernel = context.kernel(tf.transpose(context.values["kernel"], [0, 1, 3, 2]))
    result = tf.nn.depthwise_conv2d(
        tf.cast(inputs[0], tf.float32),
        tf.transpose(kernel, [0, 1, 3, 2]),
        strides,
        _padding(operator.padding),
        dilations=[operator.dilation] * 2,
    )
    return context.finish(result, operator.activation)


@interpret.register
def _(
    operator: convolutions.TransposedConv, inputs: list[tf.Tensor], context: _NodeContext
) -> tf.Tensor:
    shape, stride = tf.shape(inputs[0]), operator.stride
    static = inputs[0].shape
    size = [
        static[0] or shape[0],
        (static[1] or shape[1]) * stride,
        (static[2] or shape[2]) * stride,
        operator.filters,
    ]
    kernel = context.kernel(context.values["kernel"], transposed=True)
    x, kernel = _cast_for_convolution(context, inputs[0], kernel)
    result = tf.nn.conv2d_transpose(x, kernel, size, stride, "SAME")
    return context.finish(result, Activation.NONE)


def _padding(padding: convolutions.Padding) -> str:
    return padding.value.upper()


@interpret.register
def _(operator: operators.Add, inputs: list[tf.Tensor], context: _NodeContext) -> tf.Tensor:
    return _activate(inputs[0] + inputs[1], operator.activation)


@interpret.register
def _(operator: operators.Subtract, inputs: list[tf.Tensor], context: _NodeContext) -> tf.Tensor:
    return _activate(inputs[0] - inputs[1], operator.activation)


@interpret.register
def _(operator: operators.Multiply, inputs: list[tf.Tensor], context: _NodeContext) -> tf.Tensor:
    return _activate(inputs[0] * inputs[1], operator.activation)


@interpret.register
def _(operator: operators.Concat, inputs: list[tf.Tensor], context: _NodeContext) -> tf.Tensor:
    return tf.concat(inputs, axis=-1)


@interpret.register
def _(operator: operators.Split, inputs: list[tf.Tensor], context: _NodeContext) -> tf.Tensor:
    return tf.split(inputs[0], operator.parts, axis=-1)[operator.index]


@interpret.register
def _(operator: operators.Slice, inputs: list[tf.Tensor], context: _NodeContext) -> tf.Tensor:
    return inputs[0][..., operator.begin : operator.begin + operator.size]


@interpret.register
def _(operator: activations.Relu, inputs: list[tf.Tensor], context: _NodeContext) -> tf.Tensor:
    return tf.nn.relu(inputs[0])


@interpret.register
def _(operator: activations.LeakyRelu, inputs: list[tf.Tensor], context: _NodeContext) -> tf.Tensor:
    return tf.nn.leaky_relu(inputs[0], operator.alpha)


@interpret.register
def _(operator: activations.PRelu, inputs: list[tf.Tensor], context: _NodeContext) -> tf.Tensor:
    # As in Keras, with slopes of three axes: the converter recognizes PRELU by this form only.
    (x,), slopes = inputs, tf.cast(context.values["alpha"], context.dtype)[tf.newaxis, tf.newaxis]
    return tf.nn.relu(x) + -slopes * tf.nn.relu(-x)


@interpret.register
def _(operator: activations.Sigmoid, inputs: list[tf.Tensor], context: _NodeContext) -> tf.Tensor:
    return tf.sigmoid(tf.cast(inputs[0], tf.float32))  # four times as fast as bfloat16


@interpret.register
def _(operator: activations.Tanh, inputs: list[tf.Tensor], context: _NodeContext) -> tf.Tensor:
    return tf.tanh(inputs[0])


@interpret.register
def _(operator: activations.HardSwish, inputs: list[tf.Tensor], context: _NodeContext) -> tf.Tensor:
    # The order of factors matters: the converter recognizes HARD_SWISH by this form only.
    return inputs[0] * tf.nn.relu6(inputs[0] + 3.0) * (1 / 6)


@interpret.register
def _(operator: activations.Clip, inputs: list[tf.Tensor], context: _NodeContext) -> tf.Tensor:
    (x,) = inputs
    if context.mode.training and context.is_output:
        return x  # clipped values have no gradient, and a network may start with such values
    if operator.form is activations.ClipForm.OPERATOR:
        return tf.nn.relu(tf.minimum(x, LEVELS))
    return x if context.mode.quantize else tf.clip_by_value(x, 0.0, LEVELS)


@interpret.register
def _(
    operator: operators.DepthToSpace, inputs: list[tf.Tensor], context: _NodeContext
) -> tf.Tensor:
    return tf.nn.depth_to_space(inputs[0], operator.block)


@interpret.register
def _(operator: operators.ShuffleRows, inputs: list[tf.Tensor], context: _NodeContext) -> tf.Tensor:
    rows, block = tf.concat(inputs, axis=2), len(inputs)
    # Where sizes are known, the converter needs them as constants for the reshape.
    batch, height, width, channels = inputs[0].shape
    if None in (batch, height, width):
        batch, height, width = tf.unstack(tf.shape(inputs[0])[:3])
    return tf.reshape(rows, (batch, height * block, width * block, channels // block))


@interpret.register
def _(
    operator: operators.SpaceToDepth, inputs: list[tf.Tensor], context: _NodeContext
) -> tf.Tensor:
    return tf.nn.space_to_depth(inputs[0], operator.block)


@interpret.register
def _(operator: operators.Resize, inputs: list[tf.Tensor], context: _NodeContext) -> tf.Tensor:
    size = tf.shape(inputs[0])[1:3] * operator.factor
    nearest = operator.interpolation is operators.Interpolation.NEAREST
    return tf.image.resize(inputs[0], size, "nearest" if nearest else "bilinear")


@interpret.register
def _(operator: operators.Tile, inputs: list[tf.Tensor], context: _NodeContext) -> tf.Tensor:
    return tf.tile(inputs[0], [1, 1, 1, operator.count])


@interpret.register
def _(operator: operators.NearestConv, inputs: list[tf.Tensor], context: _NodeContext) -> tf.Tensor:
    channels = inputs[0].shape[-1]
    repeated = np.tile(np.eye(channels, dtype=np.float32), operator.count)
    kernel = context.kernel(tf.constant(repeated[np.newaxis, np.newaxis]))
    return tf.nn.conv2d(tf.cast(inputs[0], tf.float32), kernel, 1, "SAME")


@interpret.register
def _(operator: operators.Pad, inputs: list[tf.Tensor], context: _NodeContext) -> tf.Tensor:
    border = [operator.border] * 2
    return tf.pad(inputs[0], [[0, 0], border, border, [0, 0]])


@interpret.register
def _(operator: operators.Mean, inputs: list[tf.Tensor], context: _NodeContext) -> tf.Tensor:
    return tf.reduce_mean(tf.cast(inputs[0], tf.float32), axis=[1, 2], keepdims=True)


@interpret.register
def _(operator: operators.Pool, inputs: list[tf.Tensor], context: _NodeContext) -> tf.Tensor:
    largest = operator.reduction is operators.Reduction.MAX
    # TensorFlow's other pooling functions take no stride longer than the window.
    pool = tf.nn.max_pool2d if largest else tf.nn.avg_pool2d
    return pool(tf.cast(inputs[0], tf.float32), operator.size, operator.stride, "SAME")
