"""From a graph to what TFLite runs: a kernel for each operator of the converted file, in order.

Every latency model reads kernels. The same value is read from anybody's file by
``latency_models.tflite``.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from .convolutions import Branches, Conv, DepthwiseConv, Padding, TransposedConv
from .graph import INPUT, Graph, InputSpec, Node, infer
from .operator import Activation, Operator, Shape
from .operators import (
    Add,
    Clip,
    ClipForm,
    Concat,
    DepthToSpace,
    Interpolation,
    LeakyRelu,
    Mean,
    Multiply,
    NearestConv,
    Pad,
    Pool,
    PRelu,
    Reduction,
    Relu,
    Resize,
    Sigmoid,
    Slice,
    SpaceToDepth,
    Split,
    Subtract,
    Tanh,
    Tile,
)
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
    return tuple(_lower(_fused(graph), spec))


def _fused(graph: Graph) -> Graph:
    """As the converter fuses it: a ReLU or a padding becomes part of what it belongs to."""
    readers = Counter(name for node in graph.nodes for name in node.inputs)
    fused: dict[str, Node] = {}
    for node in graph.nodes:
        node = _with_own_padding(node, fused)  # noqa: PLW2901
        source = fused.get(node.inputs[0])
        if source and readers[source.name] == 1 and isinstance(node.operator, Relu):
            operator = _with_relu(source.operator)
            if operator:
                del fused[source.name]
                node = Node(node.name, operator, source.inputs)  # noqa: PLW2901
        fused[node.name] = node
    used = {name for node in fused.values() for name in node.inputs} | {graph.nodes[-1].name}
    return Graph(tuple(node for node in fused.values() if node.name in used))


def _with_own_padding(node: Node, earlier: dict[str, Node]) -> Node:
    """A convolution behind the padding that keeps its size, made one that pads by itself."""
    source, operator = earlier.get(node.inputs[0]), node.operator
    if (
        source
        and isinstance(source.operator, Pad)
        and isinstance(operator, Conv | DepthwiseConv)
        and operator.padding is Padding.VALID
        and operator.stride == 1
        and (operator.kernel - 1) * operator.dilation == 2 * source.operator.border
    ):
        return Node(node.name, replace(operator, padding=Padding.SAME), source.inputs)
    return node


def _with_relu(operator: Operator) -> Operator | None:
    """``operator`` with a ReLU of its own, if TFLite has that and it has none yet."""
    if not isinstance(operator, Conv | DepthwiseConv | Add | Subtract | Multiply):
        return None
    if operator.activation is not Activation.NONE:
        return None
    return replace(operator, activation=Activation.RELU)


def _lower(graph: Graph, spec: InputSpec) -> Iterator[Kernel]:
    figures, copies = infer(graph, spec), _requantised_copies(graph)
    tensors = {INPUT: Tensor(INPUT, (spec.height, spec.width, 3))}
    splits: set[tuple[str, int]] = set()
    yield from _quantize(tensors[INPUT], copies[INPUT].values())
    for node in graph.nodes:
        output = Tensor(node.name, figures.nodes[node.name].shape)
        inputs = tuple(
            replace(tensors[name], name=copies[name].get(node.name, tensors[name].name))
            for name in node.inputs
        )
        tensors[node.name] = output
        match node.operator:
            case Clip(form=ClipForm.SATURATE):
                tensors[node.name] = inputs[0]
            case Clip():
                capped = Tensor(f"{node.name}/minimum", output.shape)
                yield Kernel("MINIMUM", capped.name, inputs, (capped,))
                yield Kernel("RELU", node.name, (capped,), (output,))
            case Split(parts=parts):
                if (node.inputs[0], parts) not in splits:
                    splits.add((node.inputs[0], parts))
                    yield Kernel("SPLIT", node.name, inputs, _siblings(graph, node, output))
            case _:
                yield _kernel(node, inputs, output)
        yield from _quantize(tensors[node.name], copies[node.name].values())


def _requantised_copies(graph: Graph) -> defaultdict[str, dict[str, str]]:
    """Tensor -> concat -> name of the copy that the concat reads: one for each scale."""
    analysis = analyse(graph)
    copies: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for node in graph.nodes:
        for index, source in enumerate(node.inputs):
            if (node.name, index) in analysis.requantised:
                copies[source][node.name] = f"{source}/{analysis.group_of(node.name).tensors[0]}"
    return copies


def _quantize(source: Tensor, copies: Iterable[str]) -> Iterator[Kernel]:
    """The converter puts a tensor's QUANTIZE operators right behind what makes it."""
    for name in dict.fromkeys(copies):
        yield Kernel("QUANTIZE", name, (source,), (Tensor(name, source.shape),))


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
    operator = _as_deployed(node.operator, shapes)
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


def _as_deployed(operator: Operator, shapes: tuple[Shape, ...]) -> Operator:
    """With its branches merged and the bias that TFLite's always has, of zeros if need be."""
    match operator:
        case NearestConv():
            return Conv(kernel=1, filters=operator.shape(shapes)[2])
        case Conv():
            return replace(operator, bias=True, branches=Branches.NONE)
        case DepthwiseConv():
            return replace(operator, bias=True)
    return operator


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
            return transposed_window(operator.kernel, operator.stride)
        case Pool():
            return operator.size
        case SpaceToDepth():
            return 2 * operator.block - 1
        case Resize(interpolation=Interpolation.BILINEAR):
            return 3
    return 1


def transposed_window(kernel: int, stride: int) -> int:
    """Pixels across that a pixel of a transposed convolution, padding ``same``, depends on."""
    padding = max(kernel - stride, 0) // 2
    before, after = (kernel - 1 - padding) // stride, (stride - 1 + padding) // stride
    return 2 * max(before, after) + 1
