"""A trainable network: a graph with its variables, as a Keras layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from search_spaces import (
    LEVELS,
    Add,
    Conv,
    DepthwiseConv,
    Graph,
    Subtract,
    TransposedConv,
    own_values,
)

from ..data.pixels import Pixels
from ..quantization.fake_quantization import MIN_RANGE, narrowed
from .initialization import KERNELS, Array, he_deviation, initial_parameters
from .interpretation import Interpreter, Mode
from .job import Weights
from .optimizer import KernelForm
from .tensorflow_quietly import keras, tf
from .weights import range_key

#: Largest ratio of the INT8 range of an operator's input to that of its result, and, in additions,
#: of the result's to an input's. XNNPACK refuses convolutions whose sums have steps 256 times as
#: large as the result's levels, and additions with a ratio of 1024, which dead branches had caused.
_RANGE_RATIO_MAX = 256
#: Computes the bounds of a tensor's INT8 range from its smallest, its largest and all its values.
RangeRule = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


class Network(keras.layers.Layer):
    """A trainable network of ``graph``, initialized from ``seed``.

    It maps float32 RGB images of grey levels (N, H, W, 3) to (N, scale H, scale W, 3).
    """

    def __init__(self, graph: Graph, seed: int = 0) -> None:
        super().__init__(dtype="float32", name="network")
        self.graph = graph
        self._interpreter = Interpreter(graph)
        self._parameters = {
            name: self._variable(name, value)
            for name, value in initial_parameters(graph, seed).items()
        }
        self._learned_groups = [g for g in self._interpreter.tensors.groups if g.fixed is None]
        self._ranges = {
            f"{range_key(group)}/{bound}": self._variable(f"{range_key(group)}/{bound}", value)
            for group in self._learned_groups
            for bound, value in (
                ("low", np.array(-1, np.float32)),
                ("high", np.array(1.001, np.float32)),
            )
        }

    def _variable(self, name: str, value: Array) -> keras.Variable:
        return self.add_weight(
            name=name.replace("/", "."),
            shape=np.shape(value),
            initializer=lambda shape, dtype=None: tf.constant(value, dtype),
        )

    @property
    def values(self) -> dict[str, keras.Variable]:
        """All trained variables by name: kernels, biases, slopes, and learned INT8 ranges."""
        return self._parameters | self._ranges

    @property
    def kernels(self) -> dict[str, keras.Variable]:
        """Convolution kernels by the name of their node."""
        return {
            name.removesuffix("/kernel"): variable
            for name, variable in self._parameters.items()
            if name.endswith("/kernel")
        }

    @property
    def kernel_forms(self) -> dict[str, KernelForm]:
        """The form as matrices of those ``values`` that are multiplied with features, by name."""
        forms = {}
        for node in self.graph.nodes:
            for part in KERNELS & own_values(self._parameters, node.name).keys():
                name, operator = f"{node.name}/{part}", node.operator
                shape = tuple(self._parameters[name].shape)
                groups, outputs, inputs = 1, shape[3], (0, 1, 2)
                match operator:
                    case DepthwiseConv():
                        groups = outputs = shape[2]
                        inputs = (0, 1, 3)
                    case TransposedConv():
                        inputs = (0, 1, 3)
                    case Conv() if part == "kernel":
                        groups = operator.groups
                forms[name] = KernelForm(groups, outputs, he_deviation(operator, shape), inputs)
        return forms

    def snapshot(self) -> dict[str, Array]:
        """Returns all values, including ranges, for ``restore``."""
        return {name: variable.numpy() for name, variable in self.values.items()}

    def restore(self, weights: Weights) -> None:
        """Sets every variable; ignores other keys. Raises KeyError if a value is missing."""
        for name, variable in self.values.items():
            variable.assign(weights[name])

    def call(self, images: tf.Tensor, *, mode: Mode) -> tf.Tensor:
        return self._interpreter(self._tensors(), images, mode)

    def _tensors(self) -> dict[str, tf.Tensor]:
        return {name: tf.convert_to_tensor(variable) for name, variable in self.values.items()}

    def calibrate(self, images: tf.Tensor, rule: RangeRule = narrowed) -> None:
        """Sets every learned range from the values of its tensors on ``images``.

        ``rule`` computes the bounds; studies pass other rules.
        """
        tensors = self._interpreter.run(self._tensors(), images, Mode(quantize=False))
        units = self._interpreter.tensors.units
        smallest = self._smallest_ranges(
            {name: float(tf.reduce_max(tf.abs(t))) / units[name] for name, t in tensors.items()}
        )
        for group in self._learned_groups:
            values = [tf.reshape(tensors[name], [-1]) / units[name] for name in group.tensors]
            all_values = tf.concat(values, 0)
            low, high = tf.minimum(tf.reduce_min(all_values), 0.0), tf.reduce_max(all_values)
            least_width = max(smallest[name] for name in group.tensors)
            low, high = rule(low, tf.maximum(high, low + least_width), all_values)
            self._ranges[f"{range_key(group)}/low"].assign(low)
            # A little wider: a range of exactly 0..1 would equal that of the image, and the file
            # would have one QUANTIZE less than with other weights.
            self._ranges[f"{range_key(group)}/high"].assign(1.001 * high)

    def _smallest_ranges(self, largest: Mapping[str, float]) -> dict[str, float]:
        """Returns the least width of each tensor's INT8 range, given largest absolute values."""
        smallest = dict.fromkeys(largest, MIN_RANGE)
        for node in self.graph.nodes:
            pairs = [(node.name, source) for source in node.inputs]
            if isinstance(node.operator, Add | Subtract):
                pairs += [(source, node.name) for source in node.inputs]
            for name, other in pairs:
                smallest[name] = max(smallest[name], largest[other] / _RANGE_RATIO_MAX)
        return smallest


def image_function(graph: Graph, weights: Weights, mode: Mode) -> Callable[[Pixels], Pixels]:
    """Returns ``graph`` with ``weights`` as a function that upscales one uint8 image (H, W, 3)."""
    interpreter = Interpreter(graph)
    values = {name: tf.constant(value) for name, value in weights.items()}

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([1, None, None, 3], tf.uint8)])
    def run(images: tf.Tensor) -> tf.Tensor:
        levels = interpreter(values, tf.cast(images, tf.float32), mode)
        return tf.cast(tf.clip_by_value(tf.round(levels), 0.0, LEVELS), tf.uint8)

    def upscale(lr: Pixels) -> Pixels:
        result: Pixels = run(lr[np.newaxis]).numpy()[0]
        return result

    return upscale
