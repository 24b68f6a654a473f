"""Rewrites: transforms to equivalent networks that a device runs faster, and of their weights.

Weights are those of ``nas.training``: "node/variable" -> float32, of the network normalized to
images of 0..1. Every rewrite preserves the float32 output (tests bound the largest difference by
1e-3 of 255), and raises a one-line GraphError for a graph for which it cannot do so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ..graph.activations import POINTWISE, PRelu
from ..graph.convolutions import Branches, Conv
from ..graph.graph import Graph, Node
from ..graph.operators import DepthToSpace, Slice
from .reparameterization import merged_kernel
from .weights import own_values

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float32]
    Weights = Mapping[str, Array]


@dataclass(frozen=True)
class Rewrite:
    """The rewritten graph; ``carry`` converts weights of the original graph to its weights."""

    graph: Graph
    carry: Callable[[Weights], dict[str, Array]] = field(repr=False, compare=False, default=dict)

    def then(self, rewrite: Callable[[Graph], Rewrite]) -> Rewrite:
        """Returns the composition of this rewrite with ``rewrite`` of its result."""
        following = rewrite(self.graph)
        if following.graph is self.graph:
            return self
        return Rewrite(following.graph, lambda weights: following.carry(self.carry(weights)))


def merge_branches(graph: Graph) -> Rewrite:
    """Replaces each convolution with branches by the equivalent one without."""
    branched = {
        node.name: node.operator
        for node in graph.nodes
        if isinstance(node.operator, Conv) and node.operator.branches is not Branches.NONE
    }
    if not branched:
        return Rewrite(graph)
    nodes = tuple(
        replace(node, operator=replace(branched[node.name], branches=Branches.NONE))
        if node.name in branched
        else node
        for node in graph.nodes
    )

    def carry(weights: Weights) -> dict[str, Array]:
        import numpy as np

        carried = dict(weights)
        for name, conv in branched.items():
            variables = own_values(weights, name)
            kernel = merged_kernel(conv, variables, np.einsum)
            for variable in variables.keys() - {"bias"}:
                del carried[f"{name}/{variable}"]
            carried[f"{name}/kernel"] = np.asarray(kernel, np.float32)
        return carried

    return Rewrite(Graph(nodes), carry)


def pad_channels(graph: Graph, step: int) -> Rewrite:
    """Widens feature maps to a multiple of ``step`` channels, with zero weights.

    This applies to feature maps that only convolutions read, and to the input of a depth_to_space,
    from which a Slice then takes the original channels.
    """
    widenable = _widenable_tensors(graph)
    added_outputs = {
        node.name: -node.operator.filters % step
        for node in graph.nodes
        if isinstance(node.operator, Conv) and node.name in widenable
    }
    if not any(added_outputs.values()):
        return Rewrite(graph)
    added_channels = dict(added_outputs)  # by tensor, including outputs of pointwise operators
    nodes: list[Node] = []
    added_inputs: dict[str, int] = {}
    for node in graph.nodes:
        operator, added = node.operator, added_channels.get(node.inputs[0], 0)
        if isinstance(operator, Conv):
            added_inputs[node.name] = added
            if added_outputs.get(node.name, 0):
                wide = replace(operator, filters=operator.filters + added_outputs[node.name])
                node = replace(node, operator=wide)  # noqa: PLW2901
            nodes.append(node)
        elif added and isinstance(operator, DepthToSpace):
            size = _original_channels(graph, node.inputs[0])
            cut = Node(f"{node.name}_cut", Slice(begin=0, size=size), node.inputs)
            nodes += [cut, replace(node, inputs=(cut.name,))]
        else:
            added_channels[node.name] = added if isinstance(operator, POINTWISE) else 0
            nodes.append(node)

    def carry(weights: Weights) -> dict[str, Array]:
        import numpy as np

        carried = dict(weights)
        for node in graph.nodes:
            if isinstance(node.operator, PRelu) and added_channels[node.name]:
                key = f"{node.name}/alpha"
                carried[key] = np.pad(weights[key], (0, added_channels[node.name]))
        for name, inputs in added_inputs.items():
            outputs = added_outputs.get(name, 0)
            key = f"{name}/kernel"
            carried[key] = np.pad(weights[key], ((0, 0), (0, 0), (0, inputs), (0, outputs)))
            if f"{name}/bias" in weights:
                carried[f"{name}/bias"] = np.pad(weights[f"{name}/bias"], (0, outputs))
        return carried

    return Rewrite(Graph(tuple(nodes)), carry)


def is_plain_conv(node: Node) -> bool:
    """Returns whether ``node`` is a convolution with one group and without branches."""
    conv = node.operator
    return isinstance(conv, Conv) and conv.groups == 1 and conv.branches is Branches.NONE


def _widenable_tensors(graph: Graph) -> set[str]:
    """Returns the tensors that only ungrouped convolutions read, or only one depth_to_space.

    They may be read through pointwise operators, whose outputs are as wide as their inputs.
    """
    widenable: set[str] = set()
    for node in reversed(graph.nodes):
        readers = graph.readers(node.name)
        if isinstance(node.operator, Conv) and node.operator.groups > 1:
            continue
        one_shuffle = len(readers) == 1 and isinstance(readers[0].operator, DepthToSpace)
        if one_shuffle or (
            readers
            and all(
                (isinstance(reader.operator, Conv) and reader.operator.groups == 1)
                or (isinstance(reader.operator, POINTWISE) and reader.name in widenable)
                for reader in readers
            )
        ):
            widenable.add(node.name)
    return widenable


def _original_channels(graph: Graph, name: str) -> int:
    """Returns the filters of the convolution that feeds tensor ``name`` directly or pointwise."""
    by_name = {node.name: node for node in graph.nodes}
    node = by_name[name]
    while not isinstance(node.operator, Conv):
        node = by_name[node.inputs[0]]
    return node.operator.filters
