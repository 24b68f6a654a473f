"""INT8 constraints on a graph's tensors: which of them share a scale, and the unit of each.

A tensor has the name of the node that computes it, or is ``input``.
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

#: Grey levels per unit of a normalized tensor: networks train on 0..1 and run on 0..255.
LEVELS = 255.0

IMAGE_RANGE = Range(0.0, LEVELS)


@dataclass(frozen=True)
class ScaleGroup:
    """Tensors that share one INT8 scale, which is prescribed (``fixed``) or learned (None)."""

    tensors: tuple[str, ...]
    fixed: Range | None
    #: no value is negative, since every tensor of the group is the output of a ReLU
    positive: bool


@dataclass(frozen=True)
class Tensors:
    """INT8 constraints on the tensors of one graph."""

    groups: tuple[ScaleGroup, ...]
    #: (node, index of its input) for inputs that a QUANTIZE must first convert to the node's scale
    requantized: frozenset[tuple[str, int]]
    #: by tensor: the real value that 1 in the normalized network stands for, LEVELS or 1
    units: dict[str, float]

    def group_of(self, tensor: str) -> ScaleGroup:
        """Returns the group that contains ``tensor``."""
        return self._by_tensor[tensor]

    @cached_property
    def _by_tensor(self) -> dict[str, ScaleGroup]:
        return {tensor: group for group in self.groups for tensor in group.tensors}


class _DisjointSets:
    """Disjoint sets of names (union-find)."""

    def __init__(self, names: Iterable[str]) -> None:
        self._parent = {name: name for name in names}

    def root(self, name: str) -> str:
        while self._parent[name] != name:
            self._parent[name] = self._parent[self._parent[name]]
            name = self._parent[name]
        return name

    def union(self, a: str, b: str) -> None:
        self._parent[self.root(b)] = self.root(a)

    def sets(self) -> dict[str, tuple[str, ...]]:
        members: dict[str, list[str]] = {}
        for name in self._parent:
            members.setdefault(self.root(name), []).append(name)
        return {root: tuple(names) for root, names in members.items()}


def quantization_groups(graph: Graph) -> Tensors:
    """Returns scales and units of the tensors of ``graph``; GraphError if they contradict."""
    scale_sets, fixed, requantized = _scale_constraints(graph)
    by_name = {node.name: node for node in graph.nodes}
    groups = tuple(
        ScaleGroup(
            tensors,
            fixed.get(root),
            positive=all(name in by_name and _has_relu(by_name[name]) for name in tensors),
        )
        for root, tensors in scale_sets.sets().items()
    )
    return Tensors(groups, requantized, _units_of_tensors(graph))


def _has_relu(node: Node) -> bool:
    operator = node.operator
    return isinstance(operator, Relu) or operator.fused_activation is Activation.RELU


def _scale_constraints(
    graph: Graph,
) -> tuple[_DisjointSets, dict[str, Range], frozenset[tuple[str, int]]]:
    """Returns sets of tensors with equal scales, fixed ranges by set, and requantized inputs."""
    scale_sets = _DisjointSets([INPUT, *(node.name for node in graph.nodes)])
    fixed = {INPUT: IMAGE_RANGE}
    concats = [node for node in graph.nodes if node.operator.joins_scales]
    pools = {node.name for node in graph.nodes if isinstance(node.operator, Pool)}
    readers = Counter(name for node in graph.nodes for name in node.inputs)
    for node in graph.nodes:
        operator = node.operator
        if operator.fixed_range is not None:
            fixed[node.name] = operator.fixed_range
        elif _is_saturating_clip(node):
            if readers[node.inputs[0]] > 1:
                raise GraphError(
                    f"node {node.name!r}: a saturating clip holds {node.inputs[0]!r} itself in "
                    "0..255, which others read too; give it the form 'operator'"
                )
            scale_sets.union(node.inputs[0], node.name)
            if fixed.setdefault(scale_sets.root(node.name), IMAGE_RANGE) != IMAGE_RANGE:
                raise GraphError(
                    f"node {node.name!r}: a clip cannot hold the fixed range of a sigmoid or tanh; "
                    "remove it"
                )
        elif operator.keeps_scale:
            scale_sets.union(node.inputs[0], node.name)
        elif operator.joins_scales:
            roots = [scale_sets.root(name) for name in node.inputs]
            free = [root for root in roots if root not in fixed]
            # If all inputs have fixed ranges, the concat takes the first one. Otherwise it shares
            # the scale of the free inputs, and those with fixed ranges are requantized.
            for root in free:
                scale_sets.union(free[0], root)
            scale_sets.union((free or roots)[0], node.name)
        elif isinstance(operator, Relu) and node.inputs[0] in pools:
            raise GraphError(
                f"node {node.name!r}: TFLite fuses a relu into the pool before it, on a scale that "
                "does not fit; put the relu before the pool"
            )
    output = scale_sets.root(graph.nodes[-1].name)
    if fixed.setdefault(output, IMAGE_RANGE) != IMAGE_RANGE:
        raise GraphError(
            f"node {graph.nodes[-1].name!r}: the output keeps the fixed range of a sigmoid or "
            "tanh; put a convolution behind it"
        )
    requantized = frozenset(
        (node.name, index)
        for node in concats
        for index, name in enumerate(node.inputs)
        if _scale_key(scale_sets.root(name), fixed) != _scale_key(scale_sets.root(node.name), fixed)
    )
    for node in graph.nodes:
        if _is_saturating_clip(node) and any(
            (reader.name, index) in requantized
            for reader in concats
            for index, name in enumerate(reader.inputs)
            if name == node.name
        ):
            # The converter would give such a tensor the concat's scale, which does not clip it.
            raise GraphError(
                f"node {node.name!r}: a saturating clip goes into a concat of another range; give "
                "it the form 'operator'"
            )
    return (
        scale_sets,
        {scale_sets.root(name): value for name, value in fixed.items()},
        requantized,
    )


def _scale_key(root: str, fixed: dict[str, Range]) -> Range | str:
    """Returns a key that is equal for two groups exactly if their scales are equal."""
    return fixed.get(root, root)


def _is_saturating_clip(node: Node) -> bool:
    return isinstance(node.operator, Clip) and node.operator.form is ClipForm.SATURATE


def _units_of_tensors(graph: Graph) -> dict[str, float]:
    """Returns the unit of each tensor: 255 for grey levels, 1 next to inhomogeneous operators.

    Inhomogeneous operators are, for example, sigmoid and tanh.
    """
    unit_sets = _DisjointSets([INPUT, *(node.name for node in graph.nodes)])
    normalized: set[str] = set()
    products: list[Node] = []
    for node in graph.nodes:
        if not node.operator.homogeneous:
            normalized |= {node.name, node.inputs[0]}
        elif isinstance(node.operator, Multiply):
            products.append(node)
        elif not node.operator.weighs:
            for name in node.inputs:
                unit_sets.union(name, node.name)
    normalized_roots = {unit_sets.root(name) for name in normalized}
    units = {
        name: 1.0 if unit_sets.root(name) in normalized_roots else LEVELS
        for tensors in unit_sets.sets().values()
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
