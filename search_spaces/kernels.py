"""From a graph to what TFLite runs: one kernel for each operator of the converted file, in its order.

Every latency model reads kernels; so does whoever cuts an image into tiles. The same value is read
from anybody's file by ``latency_models.tflite``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from .graph import INPUT, Graph, InputSpec, Node, infer
from .operators import (
    Add, Clip, ClipForm, Concat, Conv, DepthToSpace, DepthwiseConv, Interpolation, LeakyRelu,
    Mean, Multiply, Operator, Pad, Pool, PRelu, Reduction, Relu, Resize, Shape, Sigmoid, Slice,
    SpaceToDepth, Split, Subtract, Tanh, Tile, TransposedConv,
)  # fmt: skip
from .tensors import analyse

_NAMES: dict[type[Operator], str] = {
    Conv: "CONV_2D", DepthwiseConv: "DEPTHWISE_CONV_2D", TransposedConv: "TRANSPOSE_CONV",
    Add: "ADD", Subtract: "SUB", Multiply: "MUL", Concat: "CONCATENATION", Split: "SPLIT",
    Slice: "STRIDED_SLICE", Relu: "RELU", LeakyRelu: "LEAKY_RELU", PRelu: "PRELU",
    Sigmoid: "LOGISTIC", Tanh: "TANH", DepthToSpace: "DEPTH_TO_SPACE",
    SpaceToDepth: "SPACE_TO_DEPTH", Tile: "TILE", Pad: "PAD", Mean: "MEAN",
}  # fmt: skip


@dataclass(frozen=True)
class Tensor:
    """An activation: its name and shape (height, width, channels) of one INT8 image."""

    name: str
    shape: Shape

    @property
    def bytes(self) -> int:
        """Size as INT8."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Kernel:
    """One operator as TFLite runs it; constants are not among its inputs."""

    kind: str
    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    macs: int = 0
    window: int = 1
    stride: int = 1
    groups: int = 1
    weight_bytes: int = 0

    @property
    def bytes_moved(self) -> int:
        """Activations and weights read and written, INT8."""
        return sum(tensor.bytes for tensor in self.inputs + self.outputs) + self.weight_bytes


def lower(graph: Graph, spec: InputSpec) -> tuple[Kernel, ...]:
    """The kernels of ``graph`` as an INT8 model for images of ``spec``."""
    return tuple(_lower(graph, spec))


def _lower(graph: Graph, spec: InputSpec) -> Iterator[Kernel]:
    figures, requantised = infer(graph, spec), analyse(graph).requantised
    tensors = {INPUT: Tensor(INPUT, (spec.height, spec.width, 3))}
    splits: set[tuple[str, int]] = set()
    for node in graph.nodes:
        output = Tensor(node.name, figures.nodes[node.name].shape)
        inputs = [tensors[name] for name in node.inputs]
        tensors[node.name] = output
        for index, tensor in enumerate(inputs):
            if (node.name, index) in requantised:
                inputs[index] = Tensor(f"{node.name}/{index}", tensor.shape)
                yield Kernel("QUANTIZE", inputs[index].name, (tensor,), (inputs[index],))
        match node.operator:
            case Clip(form=ClipForm.SATURATE):
                tensors[node.name] = inputs[0]
            case Clip():
                capped = Tensor(f"{node.name}/minimum", output.shape)
                yield Kernel("MINIMUM", capped.name, (inputs[0],), (capped,))
                yield Kernel("RELU", node.name, (capped,), (output,))
            case Split(parts=parts):
                if (node.inputs[0], parts) not in splits:
                    splits.add((node.inputs[0], parts))
                    yield Kernel("SPLIT", node.name, (inputs[0],), _siblings(graph, node, output))
            case _:
                yield _kernel(node, tuple(inputs), output)


def _siblings(graph: Graph, split: Node, output: Tensor) -> tuple[Tensor, ...]:
    """All outputs of the SPLIT that ``split`` is part of; those that nobody reads have no node."""
    parts = split.operator.parts if isinstance(split.operator, Split) else 1
    names = {
        node.operator.index: node.name
        for node in graph.nodes
        if isinstance(node.operator, Split)
        and (node.inputs, node.operator.parts) == (split.inputs, parts)
    }
    return tuple(
        Tensor(names.get(index, f"{split.name}/{index}"), output.shape) for index in range(parts)
    )


def _kernel(node: Node, inputs: tuple[Tensor, ...], output: Tensor) -> Kernel:
    shapes = tuple(tensor.shape for tensor in inputs)
    operator = node.operator
    return Kernel(
        kind=_tflite_name(operator, inputs),
        name=node.name,
        inputs=inputs,
        outputs=(output,),
        macs=operator.macs(shapes),
        window=_window(operator),
        stride=getattr(operator, "stride", 1),
        groups=operator.groups if isinstance(operator, Conv) else 1,
        weight_bytes=sum(map(math.prod, operator.variables(shapes).values())),
    )


def _tflite_name(operator: Operator, inputs: tuple[Tensor, ...]) -> str:
    match operator:
        case Resize(interpolation=Interpolation.NEAREST):
            return "RESIZE_NEAREST_NEIGHBOR"
        case Resize():
            return "RESIZE_BILINEAR"
        case Pool(reduction=Reduction.MAX):
            return "MAX_POOL_2D"
        case Pool():
            return "AVERAGE_POOL_2D"
    return _NAMES[type(operator)]


def _window(operator: Operator) -> int:
    """Pixels of its input, across, that one output pixel depends on."""
    match operator:
        case Conv() | DepthwiseConv():
            return (operator.kernel - 1) * operator.dilation + 1
        case TransposedConv():
            return 2 * math.ceil(operator.kernel / (2 * operator.stride)) + 1
        case Pool():
            return operator.size
        case SpaceToDepth():
            return 2 * operator.block - 1
        case Resize(interpolation=Interpolation.BILINEAR):
            return 3
    return 1


def halo(kernels: tuple[Kernel, ...]) -> int | None:
    """Low-resolution pixels around a pixel of the input that its output can depend on.

    None: the output depends on the whole image (MEAN), or on more than can be told.
    """
    source = kernels[0].inputs[0]
    #: tensor -> (pixels of the input seen to one side)
    reach: dict[str, Fraction] = {}
    for kernel in kernels:
        if kernel.kind == "MEAN":
            return None
        seen = Fraction(0)
        for tensor in kernel.inputs:
            pixel = Fraction(source.shape[0], tensor.shape[0])
            seen = max(seen, reach.get(tensor.name, Fraction(0)) + pixel * (kernel.window - 1) / 2)
        for tensor in kernel.outputs:
            reach[tensor.name] = seen
    return math.ceil(max(reach.values()))
