"""Folding: the image residual and the clip as channels and layers of plain convolutions.

What is left are convolutions and one depth_to_space: no addition, no concat, which many NPUs run
on a slower engine (team ECNUSR in the Mobile AI 2022 report, arXiv:2211.03885; Chao et al.,
"Equivalent Transformation and Dual Stream Network Construction for Mobile Image Super-Resolution",
ETDS, CVPR 2023).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, NoReturn

from ..errors import GraphError
from ..graph.activations import POINTWISE, Clip, PRelu
from ..graph.convolutions import Conv, Padding
from ..graph.graph import INPUT, Graph, Node
from ..graph.operator import Activation
from ..graph.operators import Add, Concat, DepthToSpace, Interpolation, Resize, Tile
from .rewrites import Rewrite, is_plain_conv

if TYPE_CHECKING:
    from .rewrites import Array, Weights


class ResidualFold(StrEnum):
    """Who adds the image that is carried along."""

    NONE = "none"
    #: The last convolution, as ETDS does: the fastest. Its weights share their INT8 scale, one an
    #: output channel, with the 1 that adds the image.
    LAST = "last"
    #: A conv 1x1 of its own behind it, which spares the last convolution that.
    SUM = "sum"


def separate_sum(graph: Graph) -> Rewrite:
    """A conv 1x1 behind the last convolution that passes on what that makes: the last one now."""
    residual = find_residual(graph)
    last, filters = residual.last.name, residual.filters
    name = f"{last}_sum"
    nodes: list[Node] = []
    for node in graph.nodes:
        inputs = tuple(name if source == last else source for source in node.inputs)
        nodes.append(replace(node, inputs=inputs))
        if node.name == last:
            nodes.append(Node(name, Conv(kernel=1, filters=filters), (last,)))

    def carry(weights: Weights) -> dict[str, Array]:
        import numpy as np

        kernel = np.eye(filters, dtype=np.float32)[np.newaxis, np.newaxis]
        bias = np.zeros(filters, np.float32)
        return {**weights, f"{name}/kernel": kernel, f"{name}/bias": bias}

    return Rewrite(Graph(tuple(nodes)), carry)


def fold_residual(graph: Graph) -> Rewrite:
    """The image residual, carried to the last convolution by three more channels.

    Each convolution on the main path gives three channels more, which are the image itself; the
    last one adds them to its pixels. A residual block on the way adds nothing to them. Instead of
    a ReLU, features are held in 0..255, the image's own range, in which INT8 passes it on without
    any loss: equal to the ReLU as long as they are within it, which ``equalize`` sees to.
    """
    residual = find_residual(graph)
    carriers = _Carriers.towards(graph, residual.last)
    dropped = {residual.sum.name}
    if len(graph.readers(residual.image)) == 1:
        dropped.add(residual.image)
    nodes = []
    names = {residual.sum.name: residual.kept}
    for node in graph.nodes:
        if node.name in dropped:
            continue
        inputs = tuple(names.get(name, name) for name in node.inputs)
        operator = node.operator
        if isinstance(operator, Conv):
            operator = replace(operator, filters=operator.filters + carriers.added_outputs(node))
        if isinstance(operator, Conv) and node.name in carriers.path and _can_be_held(graph, node):
            names[node.name] = f"{node.name}_held"
            nodes.append(Node(node.name, replace(operator, activation=Activation.NONE), inputs))
            nodes.append(Node(names[node.name], Clip(), (node.name,)))
        else:
            nodes.append(Node(node.name, operator, inputs))

    def carry(weights: Weights) -> dict[str, Array]:
        import numpy as np

        carried = dict(weights)
        for node in graph.nodes:
            if isinstance(node.operator, Conv):
                carried |= carriers.widened(node, weights)
            elif isinstance(node.operator, PRelu) and node.name in carriers.path:
                key = f"{node.name}/alpha"  # of what is never negative
                carried[key] = np.pad(weights[key], (0, 3))
        return carried

    return Rewrite(Graph(tuple(nodes)), carry)


@dataclass(frozen=True)
class ResidualSum:
    """``sum`` of ``kept``, which the convolution ``last`` makes, and ``image``."""

    sum: Node
    kept: str
    image: str
    last: Node

    @property
    def filters(self) -> int:
        """Channels that ``last`` makes."""
        assert isinstance(self.last.operator, Conv)
        return self.last.operator.filters


def find_residual(graph: Graph) -> ResidualSum:
    """The image residual at the end of ``graph``; GraphError if there is none to fold."""
    by_name = {node.name: node for node in graph.nodes}
    node = graph.nodes[-1]
    while isinstance(node.operator, Clip | DepthToSpace) and node.inputs[0] in by_name:
        node = by_name[node.inputs[0]]
    if isinstance(node.operator, Add) and node.operator.activation is Activation.NONE:
        for kept, image in (node.inputs, node.inputs[::-1]):
            last = _made_by(by_name, kept, image)
            if last is not None and _is_plain(last) and len(graph.readers(last.name)) == 1:
                return ResidualSum(node, kept, image, last)
    raise GraphError(
        f"there is no image residual to fold: node {node.name!r} ({node.operator.kind}) does not "
        "add the repeated input to a convolution"
    )


def _made_by(by_name: dict[str, Node], kept: str, image: str) -> Node | None:
    """The convolution behind ``kept``, if ``image`` is the input enlarged by nearest neighbor."""
    source, residual = by_name.get(kept), by_name.get(image)
    if source is None or residual is None or set(residual.inputs) != {INPUT}:
        return None
    match residual.operator, source.operator:
        case (
            Resize(interpolation=Interpolation.NEAREST, factor=factor),
            DepthToSpace(block=block),
        ):
            source = by_name.get(source.inputs[0]) if factor == block else None
        case (Concat() | Tile(), _):
            pass
        case _:
            return None
    if source is None or not isinstance(source.operator, Conv):
        return None
    return source if source.operator.activation is Activation.NONE else None


def _is_plain(node: Node) -> bool:
    """A convolution through which an identity kernel passes an image."""
    conv = node.operator
    return (
        isinstance(conv, Conv)
        and (conv.groups, conv.stride, conv.kernel % 2) == (1, 1, 1)
        and conv.padding is Padding.SAME
    )


@dataclass(frozen=True)
class _Carriers:
    """Who has three channels more: the image on ``path``, zeros beside it."""

    last: Node
    #: nodes on the way from the input to ``last``
    path: frozenset[str]
    #: convolutions that a residual block adds to the path
    beside: frozenset[str]

    @classmethod
    def towards(cls, graph: Graph, last: Node) -> _Carriers:
        """GraphError names the node through which the image cannot be carried."""
        nodes = list(_way_to(graph, last))
        path = frozenset(node.name for node in nodes)
        beside = set()
        for node in nodes:
            if isinstance(node.operator, Add):
                beside.add(_require_block(graph, node, path))
            elif not (_is_plain(node) or isinstance(node.operator, POINTWISE)):
                _refuse(node)
        for node in graph.nodes:
            reads = path & set(node.inputs)
            plain = isinstance(node.operator, Conv) and node.operator.groups == 1
            if reads and node.name not in path and not plain:
                _refuse(node)
        return cls(last, path, frozenset(beside))

    def added_outputs(self, node: Node) -> int:
        return 3 if node.name in self.path | self.beside else 0

    def widened(self, node: Node, weights: Weights) -> dict[str, Array]:
        """The values of a convolution with what it reads and gives more."""
        import numpy as np

        kernel = weights[f"{node.name}/kernel"]
        side, _, inputs, outputs = kernel.shape
        reads, gives = 3 if node.inputs[0] in self.path else 0, self.added_outputs(node)
        kernel = np.pad(kernel, ((0, 0), (0, 0), (0, reads), (0, gives)))
        image = inputs if reads else 0  # where it is among the inputs
        if node.name in self.path:
            for channel in range(3):
                kernel[side // 2, side // 2, image + channel, outputs + channel] = 1
        elif node.name == self.last.name:
            for channel in range(outputs):
                kernel[side // 2, side // 2, image + channel % 3, channel] += 1
        values = {f"{node.name}/kernel": kernel}
        if f"{node.name}/bias" in weights:
            values[f"{node.name}/bias"] = np.pad(weights[f"{node.name}/bias"], (0, gives))
        return values


def _can_be_held(graph: Graph, node: Node) -> bool:
    """Is it positive by a ReLU, and can ``equalize`` keep it from exceeding white?"""
    relu = node.operator.fused_activation is Activation.RELU
    return relu and all(map(is_plain_conv, graph.readers(node.name)))


def _way_to(graph: Graph, last: Node) -> Iterator[Node]:
    """What lies before ``last``, by way of everyone's first input."""
    by_name = {node.name: node for node in graph.nodes}
    name = last.inputs[0]
    while name != INPUT:
        yield by_name[name]
        name = by_name[name].inputs[0]


def _require_block(graph: Graph, node: Node, path: frozenset[str]) -> str:
    """The convolution that an addition on the way adds to it, and nobody else reads."""
    other = next((n for n in graph.nodes if n.name == node.inputs[1]), None)
    if (
        other is None
        or other.name in path
        or not isinstance(other.operator, Conv)
        or other.operator.groups > 1
        or len(graph.readers(other.name)) > 1
    ):
        _refuse(node)
    return node.inputs[1]


def _refuse(node: Node) -> NoReturn:
    raise GraphError(
        f"the image residual cannot be folded: node {node.name!r} ({node.operator.kind}) would "
        "have to carry the image"
    )


def fold_clip(graph: Graph) -> Rewrite:
    """The final clip as a ReLU of the last convolution and one more convolution 1x1 with ReLU.

    255 - relu(255 - x), with a ReLU around it, is x held in 0..255: so the last convolution gives
    255 - x, and the new one turns it round.
    """
    pixels, last = _clipped_conv(graph)
    filters, turned = last.operator.filters, f"{last.name}_turned"
    nodes: list[Node] = []
    for node in graph.nodes[:-1]:
        if node.name == last.name:
            nodes.append(replace(node, operator=replace(last.operator, activation=Activation.RELU)))
            turn = Conv(kernel=1, filters=filters, activation=Activation.RELU)
            nodes.append(Node(turned, turn, (last.name,)))
        else:
            nodes.append(replace(node, inputs=(turned,)) if node.name == pixels else node)

    def carry(weights: Weights) -> dict[str, Array]:
        import numpy as np

        eye = np.eye(filters, dtype=np.float32)[np.newaxis, np.newaxis]
        return {
            **weights,
            f"{last.name}/kernel": -weights[f"{last.name}/kernel"],
            f"{last.name}/bias": 1 - weights[f"{last.name}/bias"],
            f"{turned}/kernel": -eye,
            f"{turned}/bias": np.ones(filters, np.float32),
        }

    return Rewrite(Graph(tuple(nodes)), carry)


@dataclass(frozen=True)
class _NamedConv:
    name: str
    operator: Conv


def _clipped_conv(graph: Graph) -> tuple[str, _NamedConv]:
    """The last depth_to_space and the convolution before it; GraphError if that is not the end."""
    by_name = {node.name: node for node in graph.nodes}
    clip = graph.nodes[-1]
    pixels = by_name.get(clip.inputs[0])
    if isinstance(clip.operator, Clip) and pixels and isinstance(pixels.operator, DepthToSpace):
        last = by_name.get(pixels.inputs[0])
        if (
            last is not None
            and isinstance(last.operator, Conv)
            and last.operator.activation is Activation.NONE
            and last.operator.bias
            and len(graph.readers(last.name)) == len(graph.readers(pixels.name)) == 1
        ):
            return pixels.name, _NamedConv(last.name, last.operator)
    raise GraphError(
        f"the clip cannot be folded: node {clip.name!r} ({clip.operator.kind}) is not the clip of "
        "a depth_to_space of a convolution that nothing else reads"
    )
