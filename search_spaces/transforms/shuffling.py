"""Rewrites depth_to_space without DEPTH_TO_SPACE, for NPUs that leave that operator to the CPU.

Separate operators compute each pixel row of the blocks, and ``ShuffleRows`` joins the rows. The
values and their shared INT8 scale stay the same. Convolutions are split by output channels; tensors
of operators that cannot be split are cut by slices.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from ..graph.activations import ACTIVATIONS
from ..graph.convolutions import Conv
from ..graph.graph import Graph, Node
from ..graph.operator import Operator
from ..graph.operators import Add, Concat, DepthToSpace, ShuffleRows, Slice, Subtract, Tile
from .rewrites import Rewrite, is_plain_conv
from .weights import own_values

if TYPE_CHECKING:
    from .rewrites import Array, Weights


#: Operators that compute each channel from the same channel of their inputs, unless broadcasting.
_BY_CHANNEL: tuple[type[Operator], ...] = (Add, Subtract, *ACTIVATIONS)


class PixelShuffle(StrEnum):
    """The operators that implement depth_to_space on the device."""

    #: DEPTH_TO_SPACE
    OPERATOR = "operator"
    #: row by row, with CONCATENATION and RESHAPE
    ROWS = "rows"


def shuffle_by_rows(graph: Graph) -> Rewrite:
    """Rewrites every depth_to_space of ``graph`` to ``ShuffleRows`` of separate rows."""
    if not any(isinstance(node.operator, DepthToSpace) for node in graph.nodes):
        return Rewrite(graph)
    splitter = _ChannelSplitter(graph)
    for node in graph.nodes:
        if isinstance(node.operator, DepthToSpace):
            block = node.operator.block
            size = splitter.channels[node.inputs[0]] // block
            rows = [splitter.add_part(node.inputs[0], row * size, size) for row in range(block)]
            splitter.add(Node(node.name, ShuffleRows(), tuple(rows)))
        else:
            splitter.add(node)
    return Rewrite(splitter.graph, splitter.carry)


@dataclass(frozen=True)
class _Part:
    """A node that computes ``size`` channels of the node ``whole``, starting at ``begin``."""

    name: str
    whole: str
    begin: int
    size: int

    def carry(self, weights: Weights) -> dict[str, Array]:
        """Returns the part's weights; in all weights of ``whole``, channels are the last axis."""
        channels = slice(self.begin, self.begin + self.size)
        return {
            f"{self.name}/{variable}": value[..., channels]
            for variable, value in own_values(weights, self.whole).items()
        }


class _ChannelSplitter:
    """Builds a copy of a graph to which parts of its nodes can be added."""

    def __init__(self, graph: Graph) -> None:
        self.channels = graph.channels
        self._original = graph
        self._by_name = {node.name: node for node in graph.nodes}
        self._nodes: dict[str, Node] = {}
        self._parts: list[_Part] = []
        #: for each node, the name of the first one that computes the same
        self._first_names: dict[str, str] = {}
        #: node name by operator and inputs
        self._computed: dict[tuple[Operator, tuple[str, ...]], str] = {}

    def add(self, node: Node) -> str:
        """Adds ``node`` unless an equal node exists; returns the name of the node that exists."""
        inputs = tuple([self._first_names.get(name, name) for name in node.inputs])
        if inputs != node.inputs:
            node = replace(node, inputs=inputs)
        if not node.operator.trained:
            computation = (node.operator, node.inputs)
            self._first_names[node.name] = self._computed.setdefault(computation, node.name)
        name = self._first_names.get(node.name, node.name)
        self._nodes.setdefault(name, node)
        return name

    def add_part(self, tensor: str, begin: int, size: int) -> str:
        """Adds nodes for ``size`` channels of ``tensor`` from ``begin`` on; returns their name."""
        if size == self.channels[tensor]:
            return tensor
        node, name = self._by_name.get(tensor), f"{tensor}_{begin}_{size}"
        smaller = None
        if node is not None and len(self._original.readers(tensor)) == 1:
            smaller = self._add_smaller_node(node, name, begin, size)
        return smaller or self.add(Node(name, Slice(begin, size), (tensor,)))

    def _add_smaller_node(self, node: Node, name: str, begin: int, size: int) -> str | None:
        """Adds a form of ``node`` for these channels; returns None if that is impossible."""
        operator, source = node.operator, node.inputs[0]
        if isinstance(operator, Slice):
            return self.add_part(source, operator.begin + begin, size)
        if isinstance(operator, Concat):
            parts = tuple(self._add_concat_parts(node, begin, begin + size))
            return parts[0] if len(parts) == 1 else self.add(Node(name, operator, parts))
        if isinstance(operator, Tile):
            count, rest = divmod(size, self.channels[source])
            if rest or begin % self.channels[source]:  # no whole copies of the source
                return None
            if count > 1:
                source = self.add(Node(name, replace(operator, count=count), node.inputs))
            return source
        inputs = node.inputs
        if isinstance(operator, _BY_CHANNEL) and self._is_by_channel(node):
            inputs = tuple(self.add_part(each, begin, size) for each in inputs)
        elif isinstance(operator, Conv) and is_plain_conv(node):
            operator = replace(operator, filters=size)
        else:
            return None
        if operator.trained:
            self._parts.append(_Part(name, node.name, begin, size))
        return self.add(Node(name, operator, inputs))

    def _add_concat_parts(self, concat: Node, begin: int, end: int) -> Iterator[str]:
        """Adds the parts of the inputs of ``concat`` in a range of channels; yields their names."""
        first = 0
        for name in concat.inputs:
            last = first + self.channels[name]
            low, high = max(begin, first), min(end, last)
            if low < high:
                yield self.add_part(name, low - first, high - low)
            first = last

    def _is_by_channel(self, node: Node) -> bool:
        """Returns whether all inputs have as many channels as ``node``: none is broadcast."""
        return {self.channels[name] for name in node.inputs} == {self.channels[node.name]}

    @property
    def graph(self) -> Graph:
        """The new graph, without nodes that nothing reads any more."""
        nodes = list(self._nodes.values())
        used = {nodes[-1].name}
        for node in reversed(nodes):
            used.update(node.inputs if node.name in used else ())
        return Graph(tuple(node for node in nodes if node.name in used))

    def carry(self, weights: Weights) -> dict[str, Array]:
        """Returns the weights of ``graph`` for weights of the original graph."""
        replaced = {part.whole for part in self._parts}
        carried = {key: w for key, w in weights.items() if key.rpartition("/")[0] not in replaced}
        for part in self._parts:
            carried |= part.carry(weights)
        return carried
