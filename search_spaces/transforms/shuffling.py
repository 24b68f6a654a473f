"""Depth_to_space without DEPTH_TO_SPACE, for NPUs that leave it to the CPU.

Each row of the blocks is made by operators of its own, and ``ShuffleRows`` puts them together: the
same numbers, which hold in one INT8 scale as they did before. Convolutions make a part of their
channels each; what cannot be made in parts is cut by a slice.
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


#: Each channel is made of the same channel of what they read, unless that is broadcast.
_BY_CHANNEL: tuple[type[Operator], ...] = (Add, Subtract, *ACTIVATIONS)


class PixelShuffle(StrEnum):
    """The form in which depth_to_space is deployed."""

    #: as DEPTH_TO_SPACE
    OPERATOR = "operator"
    #: row by row: CONCATENATION and RESHAPE
    ROWS = "rows"


def shuffle_by_rows(graph: Graph) -> Rewrite:
    """Rewrites every depth_to_space of ``graph`` to convolutions row by row."""
    if not any(isinstance(node.operator, DepthToSpace) for node in graph.nodes):
        return Rewrite(graph)
    cutter = _Cutter(graph)
    for node in graph.nodes:
        if isinstance(node.operator, DepthToSpace):
            block = node.operator.block
            size = cutter.channels[node.inputs[0]] // block
            rows = [cutter.part(node.inputs[0], row * size, size) for row in range(block)]
            cutter.put(Node(node.name, ShuffleRows(), tuple(rows)))
        else:
            cutter.put(node)
    return Rewrite(cutter.graph, cutter.carry)


@dataclass(frozen=True)
class _Part:
    """A node that makes ``size`` channels of another's, from ``begin`` on."""

    name: str
    of: str
    begin: int
    size: int

    def carry(self, weights: Weights) -> dict[str, Array]:
        """Its own weights from those of the whole: channels are the last axis of each."""
        own = slice(self.begin, self.begin + self.size)
        return {
            f"{self.name}/{variable}": value[..., own]
            for variable, value in own_values(weights, self.of).items()
        }


class _Cutter:
    """Writes the nodes of a graph anew, and parts of them beside."""

    def __init__(self, graph: Graph) -> None:
        self.channels = graph.channels
        self._whole = graph
        self._by_name = {node.name: node for node in graph.nodes}
        self._nodes: dict[str, Node] = {}
        self._parts: list[_Part] = []
        #: what computes the same stands once
        self._names: dict[str, str] = {}
        self._known: dict[tuple[Operator, tuple[str, ...]], str] = {}

    def put(self, node: Node) -> str:
        """Writes ``node``, if nothing computes the same yet; its name."""
        inputs = tuple([self._names.get(name, name) for name in node.inputs])
        if inputs != node.inputs:
            node = replace(node, inputs=inputs)
        if not node.operator.trained:
            self._names[node.name] = self._known.setdefault((node.operator, node.inputs), node.name)
        name = self._names.get(node.name, node.name)
        self._nodes.setdefault(name, node)
        return name

    def part(self, tensor: str, begin: int, size: int) -> str:
        """Writes what makes ``size`` channels of ``tensor``, from ``begin`` on; its name."""
        if size == self.channels[tensor]:
            return tensor
        node, name = self._by_name.get(tensor), f"{tensor}_{begin}_{size}"
        made = None
        if node is not None and len(self._whole.readers(tensor)) == 1:
            made = self._part_of(node, name, begin, size)
        return made or self.put(Node(name, Slice(begin, size), (tensor,)))

    def _part_of(self, node: Node, name: str, begin: int, size: int) -> str | None:
        """The same, made by a smaller ``node``; None if it cannot be."""
        operator, source = node.operator, node.inputs[0]
        if isinstance(operator, Slice):
            return self.part(source, operator.begin + begin, size)
        if isinstance(operator, Concat):
            pieces = tuple(self._pieces(node, begin, begin + size))
            return pieces[0] if len(pieces) == 1 else self.put(Node(name, operator, pieces))
        if isinstance(operator, Tile):
            count, rest = divmod(size, self.channels[source])
            if count > 1 and not rest:
                return self.put(Node(name, replace(operator, count=count), node.inputs))
            return None if rest else source
        inputs = node.inputs
        if isinstance(operator, _BY_CHANNEL) and self._is_by_channel(node):
            inputs = tuple(self.part(each, begin, size) for each in inputs)
        elif isinstance(operator, Conv) and is_plain_conv(node):
            operator = replace(operator, filters=size)
        else:
            return None
        if operator.trained:
            self._parts.append(_Part(name, node.name, begin, size))
        return self.put(Node(name, operator, inputs))

    def _pieces(self, concat: Node, begin: int, end: int) -> Iterator[str]:
        """Parts of what ``concat`` joins."""
        first = 0
        for name in concat.inputs:
            last = first + self.channels[name]
            low, high = max(begin, first), min(end, last)
            if low < high:
                yield self.part(name, low - first, high - low)
            first = last

    def _is_by_channel(self, node: Node) -> bool:
        """Is each of its channels made of the same channel of all that it reads?"""
        return {self.channels[name] for name in node.inputs} == {self.channels[node.name]}

    @property
    def graph(self) -> Graph:
        """Of all that is still read."""
        nodes = list(self._nodes.values())
        used = {nodes[-1].name}
        for node in reversed(nodes):
            used.update(node.inputs if node.name in used else ())
        return Graph(tuple(node for node in nodes if node.name in used))

    def carry(self, weights: Weights) -> dict[str, Array]:
        """Those of ``graph`` from those of the graph before."""
        cut = {part.of for part in self._parts}
        carried = {key: w for key, w in weights.items() if key.rpartition("/")[0] not in cut}
        for part in self._parts:
            carried |= part.carry(weights)
        return carried
