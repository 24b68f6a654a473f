"""A network as an immutable operator graph without an image size, as used throughout the project.

A graph reads one RGB image, named ``input``, of grey levels 0..255. Its last node is the output:
the same image, ``scale`` times larger.
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
    """An operator applied to earlier nodes or to ``input``, under a unique name."""

    name: str
    operator: Operator
    inputs: tuple[str, ...]


@dataclass(frozen=True)
class NodeFigures:
    """Costs of one node for one image of a given size; bytes are those of INT8 tensors."""

    shape: Shape
    macs: int
    parameters: int
    bytes_in: int
    bytes_out: int


@dataclass(frozen=True)
class Figures:
    """Costs of a graph at one input size; ``nodes`` is in the graph's order."""

    nodes: dict[str, NodeFigures] = field(repr=False)
    output: Shape
    macs: int
    parameters: int
    bytes_moved: int


@dataclass(frozen=True)
class Graph:
    """Nodes in execution order; raises GraphError at construction, naming the invalid node."""

    nodes: tuple[Node, ...]

    def __post_init__(self) -> None:
        if not self.nodes:
            raise GraphError("the graph has no node; give it at least one")
        known, used = {INPUT}, set[str]()
        first_names: dict[tuple[Operator, tuple[str, ...]], str] = {}
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
                twin = first_names.setdefault((node.operator, node.inputs), node.name)
                if twin != node.name:
                    raise GraphError(f"node {node.name!r} repeats {twin!r}; read that one twice")
            known.add(node.name)
            used.update(node.inputs)
        unused = known - used - {self.nodes[-1].name}
        if unused:
            raise GraphError(f"nothing uses {', '.join(sorted(map(repr, unused)))}; remove it")
        self.scale  # noqa: B018 - computing the scale checks all shapes

    @cached_property
    def multiple(self) -> int:
        """Input sides must be a multiple of this many pixels, due to space_to_depth and strides."""
        return math.prod(node.operator.divisor for node in self.nodes)

    @cached_property
    def scale(self) -> int:
        """Factor by which the output's sides are larger than the input's."""
        side = self._reference_shapes[INPUT][0]
        height, width, channels = self._reference_shapes[self.nodes[-1].name]
        if channels != 3:
            raise GraphError(f"the output has {channels} channels; an image has 3")
        if height != width or height % side:
            raise GraphError(f"a {side}x{side} image becomes {height}x{width}: no whole scale")
        return height // side

    @cached_property
    def _reference_shapes(self) -> dict[str, Shape]:
        """Shapes of all tensors for a square image with a side of 64 times ``multiple`` pixels."""
        side = self.multiple * 64
        return shapes_of(self, InputSpec(side, side))

    @property
    def channels(self) -> dict[str, int]:
        """Channels of each tensor by name, including the input; the same at any image size."""
        return {name: shape[2] for name, shape in self._reference_shapes.items()}

    @cached_property
    def parameters(self) -> int:
        """Number of parameters; the same at any image size."""
        return sum(
            _parameter_count(node, tuple(map(self._reference_shapes.__getitem__, node.inputs)))
            for node in self.nodes
        )

    @cached_property
    def hash(self) -> str:
        """Hash of the graph, 16 hex digits, independent of the names and the order of its nodes."""
        return hashlib.sha256(f"[{', '.join(self._canonical_rows())}]".encode()).hexdigest()[:16]

    def _canonical_rows(self) -> list[str]:
        """Returns nodes as JSON, numbered in the postorder of a search from the output."""
        by_name = {node.name: node for node in self.nodes}
        numbers = {INPUT: 0}
        rows: list[str] = []
        open_nodes = [self.nodes[-1].name]  # no recursion: graphs may be very deep
        while open_nodes:
            name = open_nodes[-1]
            if name in numbers:
                open_nodes.pop()
                continue
            node = by_name[name]
            unvisited = next((source for source in node.inputs if source not in numbers), None)
            if unvisited is not None:
                open_nodes.append(unvisited)
                continue
            numbers[name] = len(numbers)
            inputs = [numbers[source] for source in node.inputs]
            rows.append(f"[{node.operator.text}, {inputs}]")
        return rows

    def readers(self, name: str) -> tuple[Node, ...]:
        """Returns the nodes that read ``name``; a node that reads it twice is listed twice."""
        return self._readers.get(name, ())

    @cached_property
    def _readers(self) -> dict[str, tuple[Node, ...]]:
        readers: dict[str, list[Node]] = {}
        for node in self.nodes:
            for source in node.inputs:
                readers.setdefault(source, []).append(node)
        return {name: tuple(nodes) for name, nodes in readers.items()}

    def to_json(self) -> list[dict[str, Any]]:
        """Returns lists and dictionaries that ``from_json`` reads back."""
        return [
            {"name": node.name, **node.operator.to_json(), "inputs": list(node.inputs)}
            for node in self.nodes
        ]

    @classmethod
    def from_json(cls, data: object) -> Graph:
        """Returns the graph that ``to_json`` wrote; raises GraphError, naming an invalid row."""
        if not isinstance(data, list):
            raise GraphError(f"a graph is a list of nodes, not {type(data).__name__}")
        return cls(tuple(_node_from_json(row, index) for index, row in enumerate(data)))


def shapes_of(graph: Graph, spec: InputSpec) -> dict[str, Shape]:
    """Returns the shapes of all tensors of ``graph``, including the input, for images of ``spec``.

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
    """Returns shapes, parameters, multiply-accumulates and INT8 bytes for an image of ``spec``.

    Raises GraphError, naming the node, if the size does not fit.
    """
    shapes = shapes_of(graph, spec)
    figures: dict[str, NodeFigures] = {}
    for node in graph.nodes:
        inputs, shape = tuple([shapes[name] for name in node.inputs]), shapes[node.name]
        figures[node.name] = NodeFigures(
            shape=shape,
            macs=node.operator.macs(inputs),
            parameters=_parameter_count(node, inputs),
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


def _parameter_count(node: Node, inputs: tuple[Shape, ...]) -> int:
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
        values = {key: _attribute_from_json(defaults[key], value) for key, value in fields.items()}
        return Node(str(name), operator(**values), tuple(inputs))
    except KeyError as error:
        raise GraphError(f"node {index}: {kind} has no attribute {error.args[0]!r}") from None
    except (GraphError, ValueError) as error:
        raise GraphError(f"node {index} ({kind}): {error}") from None


def _attribute_from_json(default: object, value: object) -> Any:
    """Converts a JSON ``value`` to the attribute's enumeration if its default is one."""
    return type(default)(value) if isinstance(default, Enum) else value
