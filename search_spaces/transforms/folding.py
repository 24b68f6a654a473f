"""Folding: replaces the image residual and the clip by channels and layers of convolutions.

The result has only convolutions and one depth_to_space, but no addition or concat, which many NPUs
run on a slower engine (team ECNUSR in the Mobile AI 2022 report, arXiv:2211.03885; Chao et al.,
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
    """Which convolution adds the image that a folded residual carries through the network."""

    NONE = "none"
    #: The last convolution, as in ETDS: the fastest form. In each output channel, its weights share
    #: an INT8 scale with the weight of 1 that adds the image.
    LAST = "last"
    #: A separate 1x1 convolution behind the last one, so that the last one's weights need not share
    #: their scale.
    SUM = "sum"


def separate_sum(graph: Graph) -> Rewrite:
    """Appends a 1x1 identity convolution, which becomes the last one and adds the image."""
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
    """Replaces the image residual by three channels that carry the image to the last convolution.

    Each convolution on the main path outputs three more channels, which are the image itself. The
    last convolution adds them to its pixels. The branch of a residual block adds zeros to them.
    ReLUs on the path become clips to 0..255, the image's range, in which INT8 carries the image
    without loss. A clip equals the ReLU while features stay within 0..255; ``equalize`` ensures it.
    """
    residual = find_residual(graph)
    carriers = _ImageCarriers.find(graph, residual.last)
    dropped = {residual.sum.name}
    if len(graph.readers(residual.image)) == 1:
        dropped.add(residual.image)
    nodes = []
    replaced_inputs = {residual.sum.name: residual.kept}
    for node in graph.nodes:
        if node.name in dropped:
            continue
        inputs = tuple(replaced_inputs.get(name, name) for name in node.inputs)
        operator = node.operator
        if isinstance(operator, Conv):
            operator = replace(operator, filters=operator.filters + carriers.added_outputs(node))
        if isinstance(operator, Conv) and node.name in carriers.path and _is_clippable(graph, node):
            replaced_inputs[node.name] = f"{node.name}_held"
            nodes.append(Node(node.name, replace(operator, activation=Activation.NONE), inputs))
            nodes.append(Node(replaced_inputs[node.name], Clip(), (node.name,)))
        else:
            nodes.append(Node(node.name, operator, inputs))

    def carry(weights: Weights) -> dict[str, Array]:
        import numpy as np

        carried = dict(weights)
        for node in graph.nodes:
            if isinstance(node.operator, Conv):
                carried |= carriers.widened(node, weights)
            elif isinstance(node.operator, PRelu) and node.name in carriers.path:
                key = f"{node.name}/alpha"  # unused slopes: the image is never negative
                carried[key] = np.pad(weights[key], (0, 3))
        return carried

    return Rewrite(Graph(tuple(nodes)), carry)


@dataclass(frozen=True)
class ResidualSum:
    """``sum`` adds ``image``, the enlarged input, to ``kept``, which is computed by ``last``."""

    sum: Node
    kept: str
    image: str
    last: Node

    @property
    def filters(self) -> int:
        """Output channels of ``last``."""
        assert isinstance(self.last.operator, Conv)
        return self.last.operator.filters


def find_residual(graph: Graph) -> ResidualSum:
    """Returns the image residual at the end of ``graph``; GraphError if there is none to fold."""
    by_name = {node.name: node for node in graph.nodes}
    node = graph.nodes[-1]
    while isinstance(node.operator, Clip | DepthToSpace) and node.inputs[0] in by_name:
        node = by_name[node.inputs[0]]
    if isinstance(node.operator, Add) and node.operator.activation is Activation.NONE:
        for kept, image in (node.inputs, node.inputs[::-1]):
            if graph.channels[kept] != graph.channels[image]:
                continue  # the convolution would have to output the image's channels, too
            last = _conv_before_residual(by_name, kept, image)
            if last is not None and _can_pass_image(last) and len(graph.readers(last.name)) == 1:
                return ResidualSum(node, kept, image, last)
    raise GraphError(
        f"there is no image residual to fold: node {node.name!r} ({node.operator.kind}) does not "
        "add the repeated input to a convolution with as many channels"
    )


def _conv_before_residual(by_name: dict[str, Node], kept: str, image: str) -> Node | None:
    """Returns the convolution that computes ``kept``, or None.

    ``image`` must be the input enlarged by nearest neighbor, or repeated before depth_to_space.
    """
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


def _can_pass_image(node: Node) -> bool:
    """Returns whether ``node`` is a convolution that passes an image on by an identity kernel."""
    conv = node.operator
    return (
        isinstance(conv, Conv)
        and (conv.groups, conv.stride, conv.kernel % 2) == (1, 1, 1)
        and conv.padding is Padding.SAME
    )


@dataclass(frozen=True)
class _ImageCarriers:
    """Nodes that get three more channels: the image on ``path``, zeros in ``branches``."""

    last: Node
    #: nodes on the main path from the input to ``last``
    path: frozenset[str]
    #: convolutions whose outputs residual blocks add to the path
    branches: frozenset[str]

    @classmethod
    def find(cls, graph: Graph, last: Node) -> _ImageCarriers:
        """Finds the nodes that carry the image to ``last``; GraphError names one that cannot."""
        nodes = list(_main_path_to(graph, last))
        path = frozenset(node.name for node in nodes)
        branches = set()
        for node in nodes:
            if isinstance(node.operator, Add):
                branches.add(_residual_branch(graph, node, path))
            elif not (_can_pass_image(node) or isinstance(node.operator, POINTWISE)):
                _raise_not_foldable(node)
        for node in graph.nodes:
            path_inputs = path & set(node.inputs)
            is_ungrouped = isinstance(node.operator, Conv) and node.operator.groups == 1
            if path_inputs and node.name not in path and not is_ungrouped:
                _raise_not_foldable(node)
        return cls(last, path, frozenset(branches))

    def added_outputs(self, node: Node) -> int:
        """Returns the number of output channels added to ``node``."""
        return 3 if node.name in self.path | self.branches else 0

    def widened(self, node: Node, weights: Weights) -> dict[str, Array]:
        """Returns the weights of a convolution, extended by its added inputs and outputs."""
        import numpy as np

        kernel = weights[f"{node.name}/kernel"]
        side, _, inputs, outputs = kernel.shape
        added_inputs = 3 if node.inputs[0] in self.path else 0
        added_outputs = self.added_outputs(node)
        kernel = np.pad(kernel, ((0, 0), (0, 0), (0, added_inputs), (0, added_outputs)))
        image = inputs if added_inputs else 0  # index of the image's first channel among the inputs
        if node.name in self.path:
            for channel in range(3):
                kernel[side // 2, side // 2, image + channel, outputs + channel] = 1
        elif node.name == self.last.name:
            for channel in range(outputs):
                kernel[side // 2, side // 2, image + channel % 3, channel] += 1
        values = {f"{node.name}/kernel": kernel}
        if f"{node.name}/bias" in weights:
            values[f"{node.name}/bias"] = np.pad(weights[f"{node.name}/bias"], (0, added_outputs))
        return values


def _is_clippable(graph: Graph, node: Node) -> bool:
    """Returns whether ``node`` has a ReLU and ``equalize`` can keep its values within white."""
    relu = node.operator.fused_activation is Activation.RELU
    return relu and all(map(is_plain_conv, graph.readers(node.name)))


def _main_path_to(graph: Graph, last: Node) -> Iterator[Node]:
    """Yields the nodes before ``last``, backwards to the input, along first inputs."""
    by_name = {node.name: node for node in graph.nodes}
    name = last.inputs[0]
    while name != INPUT:
        yield by_name[name]
        name = by_name[name].inputs[0]


def _residual_branch(graph: Graph, node: Node, path: frozenset[str]) -> str:
    """Returns the convolution that the addition ``node`` adds to the path.

    Raises GraphError if it is not an ungrouped convolution that only ``node`` reads.
    """
    other = next((n for n in graph.nodes if n.name == node.inputs[1]), None)
    if (
        other is None
        or other.name in path
        or not isinstance(other.operator, Conv)
        or other.operator.groups > 1
        or len(graph.readers(other.name)) > 1
    ):
        _raise_not_foldable(node)
    return node.inputs[1]


def _raise_not_foldable(node: Node) -> NoReturn:
    raise GraphError(
        f"the image residual cannot be folded: node {node.name!r} ({node.operator.kind}) would "
        "have to carry the image"
    )


def fold_clip(graph: Graph) -> Rewrite:
    """Replaces the final clip by a ReLU of the last convolution and a 1x1 convolution with ReLU.

    relu(255 - relu(255 - x)) is x clipped to 0..255. So the last convolution computes 255 - x, and
    the new one subtracts its result from 255.
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
    """A node whose operator is known to be a Conv."""

    name: str
    operator: Conv


def _clipped_conv(graph: Graph) -> tuple[str, _NamedConv]:
    """Returns the final depth_to_space and the convolution before it.

    Raises GraphError if the graph does not end with such a convolution, depth_to_space and clip.
    """
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
