"""Lowers a graph to the operators of the converted TFLite file, in execution order.

All latency models take these operators as input. ``latency_models.tflite.requests`` reads the same
data structure from any TFLite file.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from .activations import Clip, ClipForm, Relu
from .convolutions import Branches, Conv, DepthwiseConv, Padding
from .graph import INPUT, Graph, Node, shapes_of
from .input_spec import InputSpec
from .operator import Operator, Shape
from .operators import NearestConv, Pad, ShuffleRows, Split
from .quantization import quantization_groups


@dataclass(frozen=True)
class Tensor:
    """An INT8 activation tensor of one image; ``shape`` is (height, width, channels)."""

    name: str
    shape: Shape

    @property
    def bytes(self) -> int:
        """Size in bytes as INT8."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class LoweredOperator:
    """One operator as TFLite runs it; ``inputs`` does not contain constants."""

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
        """Bytes of activations and weights that the operator reads and writes, as INT8."""
        return sum(tensor.bytes for tensor in self.inputs + self.outputs) + self.weight_bytes


def lower(graph: Graph, spec: InputSpec) -> tuple[LoweredOperator, ...]:
    """Returns the operators of ``graph`` as an INT8 model for images of ``spec``."""
    return tuple(_lower(fused(graph), spec))


def fused(graph: Graph) -> Graph:
    """Fuses ReLUs and paddings into the operators next to them, as the TFLite converter does."""
    readers = Counter(name for node in graph.nodes for name in node.inputs)
    nodes: dict[str, Node] = {}
    for node in graph.nodes:
        node = _with_fused_padding(node, nodes)  # noqa: PLW2901
        source = nodes.get(node.inputs[0])
        if source and readers[source.name] == 1 and isinstance(node.operator, Relu):
            operator = source.operator.with_relu()
            if operator:
                del nodes[source.name]
                node = Node(node.name, operator, source.inputs)  # noqa: PLW2901
        nodes[node.name] = node
    used = {name for node in nodes.values() for name in node.inputs} | {graph.nodes[-1].name}
    return Graph(tuple(node for node in nodes.values() if node.name in used))


def _with_fused_padding(node: Node, earlier: dict[str, Node]) -> Node:
    """Gives a convolution ``same`` padding if its input is a Pad node of just that padding."""
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


def _lower(graph: Graph, spec: InputSpec) -> Iterator[LoweredOperator]:
    shapes, copies = shapes_of(graph, spec), _names_of_requantized_copies(graph)
    tensors = {INPUT: Tensor(INPUT, shapes[INPUT])}
    splits: set[tuple[str, int]] = set()
    yield from _quantize_operators(tensors[INPUT], copies[INPUT].values())
    for node in graph.nodes:
        output = Tensor(node.name, shapes[node.name])
        inputs = tuple(
            Tensor(copies[name][node.name], tensors[name].shape)
            if node.name in copies[name]
            else tensors[name]
            for name in node.inputs
        )
        tensors[node.name] = output
        match node.operator:
            case Clip(form=ClipForm.SATURATE):
                tensors[node.name] = inputs[0]
            case Clip():
                minimum = Tensor(f"{node.name}/minimum", output.shape)
                yield LoweredOperator("MINIMUM", minimum.name, inputs, (minimum,))
                yield LoweredOperator("RELU", node.name, (minimum,), (output,))
            case ShuffleRows() as shuffle:
                shape = shuffle.joined(tuple(tensor.shape for tensor in inputs))
                rows = Tensor(f"{node.name}/rows", shape)
                yield LoweredOperator("CONCATENATION", rows.name, inputs, (rows,))
                yield LoweredOperator("RESHAPE", node.name, (rows,), (output,))
            case Split(parts=parts):
                if (node.inputs[0], parts) not in splits:
                    splits.add((node.inputs[0], parts))
                    yield LoweredOperator(
                        "SPLIT", node.name, inputs, _split_outputs(graph, node, output)
                    )
            case _:
                yield _lower_node(node, inputs, output)
        yield from _quantize_operators(tensors[node.name], copies[node.name].values())


def _names_of_requantized_copies(graph: Graph) -> defaultdict[str, dict[str, str]]:
    """Returns, by tensor and by concat, the name of the requantized copy that the concat reads.

    Concats that need the same scale share a copy of the tensor.
    """
    analysis = quantization_groups(graph)
    copies: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for node in graph.nodes:
        for index, source in enumerate(node.inputs):
            if (node.name, index) in analysis.requantized:
                copies[source][node.name] = f"{source}/{analysis.group_of(node.name).tensors[0]}"
    return copies


def _quantize_operators(source: Tensor, copies: Iterable[str]) -> Iterator[LoweredOperator]:
    """Yields a tensor's QUANTIZE operators, which the converter places right after its producer."""
    for name in dict.fromkeys(copies):
        yield LoweredOperator("QUANTIZE", name, (source,), (Tensor(name, source.shape),))


def _split_outputs(graph: Graph, split: Node, output: Tensor) -> tuple[Tensor, ...]:
    """Returns all outputs of the SPLIT that ``split`` belongs to, even those without a node."""
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


def _lower_node(node: Node, inputs: tuple[Tensor, ...], output: Tensor) -> LoweredOperator:
    shapes = tuple(tensor.shape for tensor in inputs)
    operator = _as_deployed(node.operator, shapes)
    return LoweredOperator(
        kind=operator.tflite_name,
        name=node.name,
        inputs=inputs,
        outputs=(output,),
        macs=operator.macs(shapes),
        window=operator.window,
        stride=getattr(operator, "stride", 1),
        groups=operator.groups if isinstance(operator, Conv) else 1,
        weight_bytes=sum(map(math.prod, operator.variables(shapes).values())),
    )


def _as_deployed(operator: Operator, shapes: tuple[Shape, ...]) -> Operator:
    """Returns the operator with its branches merged, and with a bias, as TFLite always has one."""
    match operator:
        case NearestConv():
            return Conv(kernel=1, filters=operator.shape(shapes)[2])
        case Conv() if not operator.bias or operator.branches is not Branches.NONE:
            return replace(operator, bias=True, branches=Branches.NONE)
        case DepthwiseConv() if not operator.bias:
            return replace(operator, bias=True)
    return operator
