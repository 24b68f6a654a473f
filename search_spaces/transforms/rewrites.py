"""Equal networks that a device runs faster: each rewrite gives the graph and carries the weights.

Weights are those of ``nas.training``: "node/variable" -> float32, of the network normalized to
images of 0..1. Every rewrite keeps the float32 output (a test holds the largest difference to 1e-3
of 255), and refuses with a GraphError, in one line, a graph that it cannot keep.
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
    """The rewritten graph, and its weights from those of the graph before."""

    graph: Graph
    carry: Callable[[Weights], dict[str, Array]] = field(repr=False, compare=False, default=dict)

    def then(self, rewrite: Callable[[Graph], Rewrite]) -> Rewrite:
        """Another rewrite upon this one."""
        following = rewrite(self.graph)
        if following.graph is self.graph:
            return self
        return Rewrite(following.graph, lambda weights: following.carry(self.carry(weights)))


def merge_branches(graph: Graph) -> Rewrite:
    """Each convolution with branches as the one that it amounts to."""
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
            own = own_values(weights, name)
            kernel = merged_kernel(conv, own, np.einsum)
            for variable in own.keys() - {"bias"}:
                del carried[f"{name}/{variable}"]
            carried[f"{name}/kernel"] = np.asarray(kernel, np.float32)
        return carried

    return Rewrite(Graph(nodes), carry)


def pad_channels(graph: Graph, step: int) -> Rewrite:
    """Feature maps widened by zeros to a multiple of ``step`` channels.

    Those that only convolutions read; the last one too, and what stands before depth_to_space is
    then cut out of it.
    """
    wider = _can_be_widened(graph)
    widened = {
        node.name: -node.operator.filters % step
        for node in graph.nodes
        if isinstance(node.operator, Conv) and node.name in wider
    }
    if not any(widened.values()):
        return Rewrite(graph)
    extra = dict(widened)  # by tensor: what follows a convolution is as wide as it
    nodes: list[Node] = []
    inputs_widened: dict[str, int] = {}
    for node in graph.nodes:
        operator, added = node.operator, extra.get(node.inputs[0], 0)
        if isinstance(operator, Conv):
            inputs_widened[node.name] = added
            if widened.get(node.name, 0):
                wide = replace(operator, filters=operator.filters + widened[node.name])
                node = replace(node, operator=wide)  # noqa: PLW2901
            nodes.append(node)
        elif added and isinstance(operator, DepthToSpace):
            size = _filters(graph, node.inputs[0])
            cut = Node(f"{node.name}_cut", Slice(begin=0, size=size), node.inputs)
            nodes += [cut, replace(node, inputs=(cut.name,))]
        else:
            extra[node.name] = added if isinstance(operator, POINTWISE) else 0
            nodes.append(node)

    def carry(weights: Weights) -> dict[str, Array]:
        import numpy as np

        carried = dict(weights)
        for node in graph.nodes:
            if isinstance(node.operator, PRelu) and extra[node.name]:
                key = f"{node.name}/alpha"
                carried[key] = np.pad(weights[key], (0, extra[node.name]))
        for name, before in inputs_widened.items():
            after = widened.get(name, 0)
            key = f"{name}/kernel"
            carried[key] = np.pad(weights[key], ((0, 0), (0, 0), (0, before), (0, after)))
            if f"{name}/bias" in weights:
                carried[f"{name}/bias"] = np.pad(weights[f"{name}/bias"], (0, after))
        return carried

    return Rewrite(Graph(tuple(nodes)), carry)


def is_plain_conv(node: Node) -> bool:
    """Does every output of it see every input, each by one weight a pixel?"""
    conv = node.operator
    return isinstance(conv, Conv) and conv.groups == 1 and conv.branches is Branches.NONE


def _can_be_widened(graph: Graph) -> set[str]:
    """Tensors that plain convolutions alone read, or one depth_to_space alone.

    Those of pointwise operators are as wide as what these read.
    """
    wider: set[str] = set()
    for node in reversed(graph.nodes):
        following = graph.readers(node.name)
        if isinstance(node.operator, Conv) and node.operator.groups > 1:
            continue
        one_shuffle = len(following) == 1 and isinstance(following[0].operator, DepthToSpace)
        if one_shuffle or (
            following
            and all(
                (isinstance(reader.operator, Conv) and reader.operator.groups == 1)
                or (isinstance(reader.operator, POINTWISE) and reader.name in wider)
                for reader in following
            )
        ):
            wider.add(node.name)
    return wider


def _filters(graph: Graph, name: str) -> int:
    """Channels of a convolution, or of what follows it pointwise."""
    by_name = {node.name: node for node in graph.nodes}
    node = by_name[name]
    while not isinstance(node.operator, Conv):
        node = by_name[node.inputs[0]]
    return node.operator.filters
