"""INT8 constraints on a graph's tensors: which share a scale, and the unit of each.

A tensor is named after the node that gives it, or ``input``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from ..errors import GraphError
from .activations import Clip, ClipForm, Relu
from .graph import INPUT, Graph, Node
from .operator import Activation, Range
from .operators import Multiply, Pool

#: One normalized step of a network is a whole image range: it trains on 0..1, and runs on 0..255.
LEVELS = 255.0

IMAGE_RANGE = Range(0.0, LEVELS)


@dataclass(frozen=True)
class ScaleGroup:
    """Tensors that share one INT8 scale: fixed by the format, or learned."""

    tensors: tuple[str, ...]
    fixed: Range | None
    #: no value below zero: every tensor of the group comes out of a ReLU
    positive: bool


@dataclass(frozen=True)
class Tensors:
    """The analysis of one graph."""

    groups: tuple[ScaleGroup, ...]
    #: (node, index of its input) that a QUANTIZE must bring to the node's own scale first
    requantized: frozenset[tuple[str, int]]
    #: real value of one normalized step
    units: dict[str, float]

    def group_of(self, tensor: str) -> ScaleGroup:
        """The group that holds ``tensor``."""
        return self._by_tensor[tensor]

    @cached_property
    def _by_tensor(self) -> dict[str, ScaleGroup]:
        return {tensor: group for group in self.groups for tensor in group.tensors}


class _Ties:
    """Disjoint sets of names."""

    def __init__(self, names: Iterable[str]) -> None:
        self._parent = {name: name for name in names}

    def root(self, name: str) -> str:
        while self._parent[name] != name:
            self._parent[name] = self._parent[self._parent[name]]
            name = self._parent[name]
        return name

    def tie(self, a: str, b: str) -> None:
        self._parent[self.root(b)] = self.root(a)

    def sets(self) -> dict[str, tuple[str, ...]]:
        members: dict[str, list[str]] = {}
        for name in self._parent:
            members.setdefault(self.root(name), []).append(name)
        return {root: tuple(names) for root, names in members.items()}


def quantization_groups(graph: Graph) -> Tensors:
    """Scales and units of ``graph``; GraphError where no unit fits."""
    ties, fixed, requantized = _tie_scales(graph)
    by_name = {node.name: node for node in graph.nodes}
    groups = tuple(
        ScaleGroup(
            tensors,
            fixed.get(root),
            positive=all(name in by_name and _positive(by_name[name]) for name in tensors),
        )
        for root, tensors in ties.sets().items()
    )
    return Tensors(groups, requantized, _units(graph))


def _positive(node: Node) -> bool:
    operator = node.operator
    return isinstance(operator, Relu) or operator.fused_activation is Activation.RELU


def _tie_scales(graph: Graph) -> tuple[_Ties, dict[str, Range], frozenset[tuple[str, int]]]:
    ties = _Ties([INPUT, *(node.name for node in graph.nodes)])
    fixed = {INPUT: IMAGE_RANGE}
    concats = [node for node in graph.nodes if node.operator.joins_scales]
    pools = {node.name for node in graph.nodes if isinstance(node.operator, Pool)}
    readers = Counter(name for node in graph.nodes for name in node.inputs)
    for node in graph.nodes:
        operator = node.operator
        if operator.fixed_range is not None:
            fixed[node.name] = operator.fixed_range
        elif _saturates(node):
            if readers[node.inputs[0]] > 1:
                raise GraphError(
                    f"node {node.name!r}: a saturating clip holds {node.inputs[0]!r} itself in "
                    "0..255, which others read too; give it the form 'operator'"
                )
            ties.tie(node.inputs[0], node.name)
            if fixed.setdefault(ties.root(node.name), IMAGE_RANGE) != IMAGE_RANGE:
                raise GraphError(
                    f"node {node.name!r}: a clip cannot hold the fixed range of a sigmoid or tanh; "
                    "remove it"
                )
        elif operator.keeps_scale:
            ties.tie(node.inputs[0], node.name)
        elif operator.joins_scales:
            roots = [ties.root(name) for name in node.inputs]
            free = [root for root in roots if root not in fixed]
            # All from fixed ranges: so is the concat. Else the fixed ones are requantized.
            for root in free:
                ties.tie(free[0], root)
            ties.tie((free or roots)[0], node.name)
        elif isinstance(operator, Relu) and node.inputs[0] in pools:
            raise GraphError(
                f"node {node.name!r}: TFLite fuses a relu into the pool before it, on a scale that "
                "does not fit; put the relu before the pool"
            )
    output = ties.root(graph.nodes[-1].name)
    if fixed.setdefault(output, IMAGE_RANGE) != IMAGE_RANGE:
        raise GraphError(
            f"node {graph.nodes[-1].name!r}: the output keeps the fixed range of a sigmoid or "
            "tanh; put a convolution behind it"
        )
    requantized = frozenset(
        (node.name, index)
        for node in concats
        for index, name in enumerate(node.inputs)
        if _scale(ties.root(name), fixed) != _scale(ties.root(node.name), fixed)
    )
    for node in graph.nodes:
        if _saturates(node) and any(
            (reader.name, index) in requantized
            for reader in concats
            for index, name in enumerate(reader.inputs)
            if name == node.name
        ):
            # The converter gives such a tensor the concat's scale, and it is clipped no more.
            raise GraphError(
                f"node {node.name!r}: a saturating clip goes into a concat of another range; give "
                "it the form 'operator'"
            )
    return ties, {ties.root(name): value for name, value in fixed.items()}, requantized


def _scale(root: str, fixed: dict[str, Range]) -> Range | str:
    """What two groups of tensors have in common if they have one scale."""
    return fixed.get(root, root)


def _saturates(node: Node) -> bool:
    return isinstance(node.operator, Clip) and node.operator.form is ClipForm.SATURATE


def _units(graph: Graph) -> dict[str, float]:
    """255 for tensors of grey levels; 1 around what is not homogeneous, as sigmoid and tanh."""
    ties = _Ties([INPUT, *(node.name for node in graph.nodes)])
    plain: set[str] = set()
    products: list[Node] = []
    for node in graph.nodes:
        if not node.operator.homogeneous:
            plain |= {node.name, node.inputs[0]}
        elif isinstance(node.operator, Multiply):
            products.append(node)
        elif not node.operator.weighs:
            for name in node.inputs:
                ties.tie(name, node.name)
    ones = {ties.root(name) for name in plain}
    units = {
        name: 1.0 if ties.root(name) in ones else LEVELS
        for tensors in ties.sets().values()
        for name in tensors
    }
    for node in products:
        a, b = (units[name] for name in node.inputs)
        if a * b != units[node.name]:
            raise GraphError(
                f"node {node.name!r}: a product needs one factor from a sigmoid or tanh, "
                "and its result may not go into another without a convolution between"
            )
    for name in (INPUT, graph.nodes[-1].name):
        if units[name] != LEVELS:
            raise GraphError(
                f"{name!r} holds grey levels and meets a sigmoid or tanh; "
                "put a convolution between them"
            )
    return units
