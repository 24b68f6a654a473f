"""A graph with variables of its own: what is trained."""

from __future__ import annotations

import os
from collections.abc import Mapping

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from search_spaces import (
    INPUT, Add, Clip, Concat, Conv, DepthToSpace, Graph, InputSpec, Resize, Tile, TransposedConv,
    infer,
)  # fmt: skip

from .interpretation import Interpreter, Mode, range_key
from .quantisation import MIN_RANGE

Array = npt.NDArray[np.float32]
#: A network's values as arrays, by the names of ``interpretation.Values``.
Weights = Mapping[str, Array]


class Network(keras.layers.Layer):  # type: ignore[misc]
    """``graph``, initialised from ``seed``.

    Called on float32 RGB images of grey levels (N, H, W, 3), it returns (N, scale H, scale W, 3).
    """

    def __init__(self, graph: Graph, seed: int = 0) -> None:
        super().__init__(dtype="float32", name="network")
        self.graph = graph
        self._interpreter = Interpreter(graph)
        self._parameters = {
            name: self._variable(name, value)
            for name, value in initial_parameters(graph, seed).items()
        }
        self._learned = [g for g in self._interpreter.tensors.groups if g.fixed is None]
        self._ranges = {
            f"{range_key(group)}/{bound}": self._variable(f"{range_key(group)}/{bound}", value)
            for group in self._learned
            for bound, value in (("low", np.float32(-1)), ("high", np.float32(1)))
        }

    def _variable(self, name: str, value: Array) -> keras.Variable:
        return self.add_weight(
            name=name.replace("/", "."),
            shape=np.shape(value),
            initializer=lambda shape, dtype=None: tf.constant(value, dtype),
        )

    @property
    def parameters(self) -> list[keras.Variable]:
        """Kernels, biases and slopes."""
        return list(self._parameters.values())

    @property
    def ranges(self) -> list[keras.Variable]:
        """Bounds of the INT8 ranges that are learned, normalised."""
        return list(self._ranges.values())

    @property
    def kernels(self) -> dict[str, keras.Variable]:
        """Convolution kernels by the name of their node."""
        return {
            name.removesuffix("/kernel"): variable
            for name, variable in self._parameters.items()
            if name.endswith("/kernel")
        }

    def snapshot(self) -> dict[str, Array]:
        """All values, ranges included, as ``restore`` takes them."""
        return {name: v.numpy() for name, v in (self._parameters | self._ranges).items()}

    def restore(self, weights: Weights) -> None:
        """Sets every variable; KeyError if one is missing."""
        for name, variable in (self._parameters | self._ranges).items():
            variable.assign(weights[name])

    def call(self, images: tf.Tensor, *, mode: Mode) -> tf.Tensor:
        return self._interpreter(self._values(), images, mode)

    def _values(self) -> dict[str, tf.Tensor]:
        variables = self._parameters | self._ranges
        return {name: tf.convert_to_tensor(v) for name, v in variables.items()}

    def calibrate(self, images: tf.Tensor) -> None:
        """Sets every learned range to the smallest and largest value met on ``images``."""
        tensors = self._interpreter.run(self._values(), images, Mode(quantise=False))
        for group in self._learned:
            unit = self._interpreter.tensors.units[group.tensors[0]]
            values = [tensors[name] / unit for name in group.tensors]
            low = tf.reduce_min([tf.reduce_min(value) for value in values])
            high = tf.reduce_max([tf.reduce_max(value) for value in values])
            self._ranges[f"{range_key(group)}/low"].assign(tf.minimum(low, 0.0))
            self._ranges[f"{range_key(group)}/high"].assign(tf.maximum(high, MIN_RANGE))


def initial_parameters(graph: Graph, seed: int) -> dict[str, Array]:
    """He-normal kernels; the last one small and, where nothing carries the image, grey.

    A residual net starts as its bare residual. Wide plain nets started otherwise lose all their
    ReLUs within the first steps.
    """
    random = np.random.default_rng(seed)
    side = graph.multiple * 8
    figures = infer(graph, InputSpec(side, side))
    shapes = {INPUT: (side, side, 3)} | {name: f.shape for name, f in figures.nodes.items()}
    last, carried = _last_conv(graph), _carries_image(graph)
    parameters = {}
    for node in graph.nodes:
        inputs = tuple(shapes[name] for name in node.inputs)
        for name, shape in node.operator.variables(inputs).items():
            value = _initial_value(name, shape, random)
            if node.name == last:
                value *= 0.0 if carried else 0.1
                if name == "bias" and not carried:
                    value += 0.5
            parameters[f"{node.name}/{name}"] = value
    return parameters


def _initial_value(
    name: str, shape: tuple[int, ...], random: np.random.Generator
) -> Array:
    match name:
        case "kernel":
            fan_in = int(np.prod(shape[:3]))
            return random.normal(0.0, np.sqrt(2 / fan_in), shape).astype(np.float32)
        case "alpha":
            return np.full(shape, 0.25, np.float32)
    return np.zeros(shape, np.float32)


def _last_conv(graph: Graph) -> str:
    """The last node that owns a kernel."""
    convs = [n.name for n in graph.nodes if isinstance(n.operator, Conv | TransposedConv)]
    return convs[-1] if convs else ""


def _carries_image(graph: Graph) -> bool:
    """Does the image reach the output by an addition that no convolution stands before?"""
    image = {INPUT}
    for node in graph.nodes:
        if isinstance(node.operator, Add | Concat | Resize | Tile | DepthToSpace | Clip):
            some = [name in image for name in node.inputs]
            if any(some) if isinstance(node.operator, Add) else all(some):
                image.add(node.name)
    return graph.nodes[-1].name in image
