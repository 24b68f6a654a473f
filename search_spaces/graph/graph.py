"""A network as a small, immutable, size-free operator graph: the one description of it anywhere.

A graph reads one RGB image, named ``input``, of grey levels 0..255, and its last node is the
output: the same image, ``scale`` times larger.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any

from ..errors import GraphError
from .input_spec import InputSpec
from .operator import Operator, Shape
from .operators import OPERATORS

INPUT = "input"
_KINDS = {operator.kind: operator for operator in OPERATORS}


@dataclass(frozen=True)
class Node:
    """An operator applied to earlier nodes (or ``input``), under a name of its own."""

    name: str
    operator: Operator
    inputs: tuple[str, ...]


@dataclass(frozen=True)
class NodeFigures:
    """What one node costs for one image of a given size; bytes are those of INT8 tensors."""

    shape: Shape
    macs: int
    parameters: int
    bytes_in: int
    bytes_out: int


@dataclass(frozen=True)
class Figures:
    """A graph's figures at one input size; ``nodes`` in the graph's order."""

    nodes: dict[str, NodeFigures] = field(repr=False)
    output: Shape
    macs: int
    parameters: int
    bytes_moved: int


@dataclass(frozen=True)
class Graph:
    """Nodes in an order in which they can run; a GraphError at construction names the node."""

    nodes: tuple[Node, ...]

    def __post_init__(self) -> None:
        if not self.nodes:
            raise GraphError("the graph has no node; give it at least one")
        known, used = {INPUT}, set[str]()
        done: dict[tuple[Operator, tuple[str, ...]], str] = {}
        for node in self.nodes:
            arity = node.operator.arity
            if node.name in known or not node.name:
                raise GraphError(f"node name {node.name!r} is empty or used twice")
            if not node.inputs or (arity is not None and len(node.inputs) != arity):
                raise GraphError(
                    f"node {node.name!r}: {node.operator.kind} takes {arity or 'one or more'} "
                    f"inputs, not {len(node.inputs)}"
                )
            for name in node.inputs:
                if name not in known:
                    raise GraphError(f"node {node.name!r}: input {name!r} is not an earlier node")
            if not node.operator.trained:
                twin = done.setdefault((node.operator, node.inputs), node.name)
                if twin != node.name:
                    raise GraphError(f"node {node.name!r} repeats {twin!r}; read that one twice")
            known.add(node.name)
            used.update(node.inputs)
        idle = known - used - {self.nodes[-1].name}
        if idle:
            raise GraphError(f"nothing uses {', '.join(sorted(map(repr, idle)))}; remove it")
        self.scale  # noqa: B018 - shapes are checked here, once

    @cached_property
    def multiple(self) -> int:
        """Input sides must be a multiple of this many pixels (space_to_depth, strides)."""
        return math.prod(node.operator.divisor for node in self.nodes)

    @cached_property
    def scale(self) -> int:
        """How many times larger the output is than the input."""
        side = self._checked[INPUT][0]
        height, width, channels = self._checked[self.nodes[-1].name]
        if channels != 3:
            raise GraphError(f"the output has {channels} channels; an image has 3")
        if height != width or height % side:
            raise GraphError(f"a {side}x{side} image becomes {height}x{width}: no whole scale")
        return height // side

    @cached_property
    def _checked(self) -> dict[str, Shape]:
        """Shapes of all tensors for an image of 64 times ``multiple`` pixels a side."""
        side = self.multiple * 64
        return shapes_of(self, InputSpec(side, side))

    @property
    def channels(self) -> dict[str, int]:
        """Channels of each tensor by name, the input among them; equal at any image size."""
        return {name: shape[2] for name, shape in self._checked.items()}

    @cached_property
    def parameters(self) -> int:
        """Number of parameters; equal at any image size."""
        return sum(
            _parameters(node, tuple(map(self._checked.__getitem__, node.inputs)))
            for node in self.nodes
        )

    @cached_property
    def hash(self) -> str:
        """Canonical name, 16 hex digits: the same for any node names, in any valid order."""
        return hashlib.sha256(f"[{', '.join(self._canonical())}]".encode()).hexdigest()[:16]

    def _canonical(self) -> list[str]:
        """JSON of nodes numbered in the order in which a walk from the output leaves them."""
        by_name = {node.name: node for node in self.nodes}
        numbers = {INPUT: 0}
        rows: list[str] = []
        open_nodes = [self.nodes[-1].name]  # a stack of our own: graphs may be very deep
        while open_nodes:
            name = open_nodes[-1]
            if name in numbers:
                open_nodes.pop()
                continue
            node = by_name[name]
            ahead = next((source for source in node.inputs if source not in numbers), None)
            if ahead is not None:
                open_nodes.append(ahead)
                continue
            numbers[name] = len(numbers)
            inputs = [numbers[source] for source in node.inputs]
            rows.append(f"[{node.operator.text}, {inputs}]")
        return rows

    def readers(self, name: str) -> tuple[Node, ...]:
        """Nodes that read ``name``, once for each of their inputs that does."""
        return self._readers.get(name, ())

    @cached_property
    def _readers(self) -> dict[str, tuple[Node, ...]]:
        readers: dict[str, list[Node]] = {}
        for node in self.nodes:
            for source in node.inputs:
                readers.setdefault(source, []).append(node)
        return {name: tuple(nodes) for name, nodes in readers.items()}

    def to_json(self) -> list[dict[str, Any]]:
        """Plain lists and dictionaries that ``from_json`` reads back."""
        return [
            {"name": node.name, **node.operator.to_json(), "inputs": list(node.inputs)}
            for node in self.nodes
        ]

    @classmethod
    def from_json(cls, data: object) -> Graph:
        """The graph that ``to_json`` wrote; GraphError names the row at fault."""
        if not isinstance(data, list):
            raise GraphError(f"a graph is a list of nodes, not {type(data).__name__}")
        return cls(tuple(_node_from_json(row, index) for index, row in enumerate(data)))


def shapes_of(graph: Graph, spec: InputSpec) -> dict[str, Shape]:
    """Shapes of the tensors of ``graph``, the image's own among them, on an image of ``spec``.

    Raises GraphError, naming the node, if the size does not fit.
    """
    shapes: dict[str, Shape] = {INPUT: (spec.height, spec.width, 3)}
    for node in graph.nodes:
        try:
            shape = node.operator.shape(tuple([shapes[name] for name in node.inputs]))
        except GraphError as error:
            raise GraphError(f"node {node.name!r} ({node.operator.kind}): {error}") from None
        shapes[node.name] = shape
    return shapes


def infer(graph: Graph, spec: InputSpec) -> Figures:
    """Shapes, parameters, multiply-accumulates and INT8 bytes of ``graph`` on an image of ``spec``.

    Raises GraphError, naming the node, if the size does not fit.
    """
    shapes = shapes_of(graph, spec)
    figures: dict[str, NodeFigures] = {}
    for node in graph.nodes:
        inputs, shape = tuple([shapes[name] for name in node.inputs]), shapes[node.name]
        figures[node.name] = NodeFigures(
            shape=shape,
            macs=node.operator.macs(inputs),
            parameters=_parameters(node, inputs),
            bytes_in=sum(map(math.prod, inputs)),
            bytes_out=math.prod(shape),
        )
    rows = figures.values()
    return Figures(
        nodes=figures,
        output=shapes[graph.nodes[-1].name],
        macs=sum(row.macs for row in rows),
        parameters=sum(row.parameters for row in rows),
        bytes_moved=sum(row.bytes_in + row.bytes_out + row.parameters for row in rows),
    )


def _parameters(node: Node, inputs: tuple[Shape, ...]) -> int:
    return sum(map(math.prod, node.operator.variables(inputs).values()))


def _node_from_json(row: object, index: int) -> Node:
    if not isinstance(row, dict):
        raise GraphError(f"node {index} is {type(row).__name__}, not an object")
    fields = dict(row)
    try:
        name, kind, inputs = (fields.pop(key) for key in ("name", "kind", "inputs"))
    except KeyError as error:
        raise GraphError(f"node {index} has no {error.args[0]!r}") from None
    if not isinstance(kind, str) or kind not in _KINDS:
        raise GraphError(f"node {index}: unknown operator {kind!r}; known: {', '.join(_KINDS)}")
    if not (isinstance(inputs, list) and all(isinstance(source, str) for source in inputs)):
        raise GraphError(f"node {index}: inputs must be a list of node names")
    operator = _KINDS[kind]
    defaults = {item.name: item.default for item in dataclasses.fields(operator)}
    try:
        values = {key: _attribute(defaults[key], value) for key, value in fields.items()}
        return Node(str(name), operator(**values), tuple(inputs))
    except KeyError as error:
        raise GraphError(f"node {index}: {kind} has no attribute {error.args[0]!r}") from None
    except (GraphError, ValueError) as error:
        raise GraphError(f"node {index} ({kind}): {error}") from None


def _attribute(default: object, value: object) -> Any:
    """``value`` as JSON has it, as the enumeration that the attribute is of, if it is of one."""
    return type(default)(value) if isinstance(default, Enum) else value
