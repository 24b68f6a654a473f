"""Equalization: scales the channels of a tensor relative to each other before quantization.

A convolution's output channels may be divided by any positive factors if the weights that read
them are multiplied by the same factors. Such factors pass through ReLUs, and through additions if
both operands have the same factors (Nagel et al., "Data-Free Quantization Through Weight
Equalization and Bias Correction", ICCV 2019).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..graph.convolutions import Branches, Conv, DepthwiseConv, TransposedConv
from ..graph.graph import Graph, Node
from ..graph.operator import Activation
from .folding import find_residual
from .rewrites import is_plain_conv

if TYPE_CHECKING:
    from .rewrites import Array, Weights

#: Lower bound on a channel's largest value (white is 1), so that the scaling of dark channels is
#: limited.
_MIN_CHANNEL_MAXIMUM = 1e-3
#: Lower bound on divisors, for kernels and tensors that are all zero.
_MIN_DIVISOR = 1e-6
#: Exponent of the scaling in ``balance``; with 1, all channels would fill their tensor's range. A
#: larger value reduces the INT8 error no further and makes some weights too small for the scale of
#: their kernel.
_BALANCE_EXPONENT = 0.5
#: Channels that fill at least this share of their tensor's range are not scaled. Among them are all
#: channels that carry the image exactly.
_FULL_SHARE = 0.8
#: Lower bound on a channel's share of the range, relative to ``_FULL_SHARE``.
_MIN_SHARE = 1 / 256


def equalize(graph: Graph, weights: Weights, maxima: Weights) -> dict[str, Array]:
    """Returns weights for ``fold_residual``, scaled so that no channel exceeds white (1).

    ``maxima`` are the largest absolute values observed in each channel of each tensor, normalized.
    Each channel is scaled to a maximum of white. Channels that the last convolution reads are
    instead balanced with its kernel (section 4.1 of the paper), since small weights would be
    rounded to zero next to the weight of 1 that adds the image.
    """
    import numpy as np

    last = find_residual(graph).last.name
    scaled = dict(weights)
    for group in _scalable_groups(graph, is_plain_conv):
        read_by_last = last in {reader.name for reader in group.readers}
        if read_by_last and group.is_linear:
            continue  # the reader may be the identity of ``separate_sum``, which must stay exact
        channel_maxima: Array = np.max([maxima[node.name] for node in group.nodes], axis=0)
        scale: Array = np.maximum(channel_maxima, _MIN_CHANNEL_MAXIMUM, dtype=np.float32)
        if read_by_last:
            kernels = [np.abs(scaled[f"{reader.name}/kernel"]) for reader in group.readers]
            kernel_maxima = np.max([kernel.max(axis=(0, 1, 3)) for kernel in kernels], axis=0)
            balanced = np.sqrt(scale / np.maximum(kernel_maxima, _MIN_DIVISOR))
            scale = np.maximum(scale, balanced, dtype=np.float32)
        group.divide(scaled, scale)
    return scaled


def balance(graph: Graph, weights: Weights, maxima: Weights) -> dict[str, Array]:
    """Returns weights of an equivalent network whose faint channels are amplified.

    A channel that fills a tenth of its tensor's range uses only a tenth of the INT8 levels.
    ``maxima`` are as in ``equalize``. Use it only if kernels have one INT8 scale per output
    channel: with a single scale for the whole kernel, it increases the error.
    """
    import numpy as np

    scaled = dict(weights)
    for group in _scalable_groups(graph, _is_convolution):
        channels = [maxima[node.name] for node in group.nodes]
        shares = [values / max(float(values.max()), _MIN_DIVISOR) for values in channels]
        largest_share: Array = np.max(shares, axis=0)
        relative = np.clip(largest_share / _FULL_SHARE, _MIN_SHARE, 1).astype(np.float32)
        group.divide(scaled, relative**_BALANCE_EXPONENT)
    return scaled


@dataclass(frozen=True)
class _ScalableGroup:
    """Nodes whose channels may be divided by common factors, and the convolutions that read them.

    ``readers`` lists a convolution once for each time that it reads one of ``nodes``.
    """

    nodes: tuple[Node, ...]
    readers: tuple[Node, ...]

    @property
    def is_linear(self) -> bool:
        """Returns whether the group is a single convolution without a ReLU."""
        first, *others = self.nodes
        return not others and getattr(first.operator, "activation", None) is Activation.NONE

    def divide(self, weights: dict[str, Array], scale: Array) -> None:
        """Divides the channels of ``nodes`` by ``scale`` and multiplies the weights that read them.

        Changes ``weights`` in place.
        """
        for node in self.nodes:
            if _is_convolution(node):
                factors = _scale_of_outputs(node, scale)
                weights[f"{node.name}/kernel"] = weights[f"{node.name}/kernel"] / factors
            if f"{node.name}/bias" in weights:
                weights[f"{node.name}/bias"] = weights[f"{node.name}/bias"] / scale
        for reader in self.readers:
            factors = _scale_of_inputs(reader, scale)
            weights[f"{reader.name}/kernel"] = weights[f"{reader.name}/kernel"] * factors


def _scalable_groups(graph: Graph, is_scalable: Callable[[Node], bool]) -> Iterator[_ScalableGroup]:
    """Yields groups of nodes between convolutions for which ``is_scalable`` holds."""
    groups: dict[str, set[str]] = {}
    for node in graph.nodes:
        group = {node.name}
        if node.operator.homogeneous_by_channel:
            group |= {name for source in node.inputs for name in groups.get(source, {source})}
        groups |= dict.fromkeys(group, group)
    for group in {id(group): group for group in groups.values()}.values():
        nodes = tuple(node for node in graph.nodes if node.name in group)
        # A convolution of the group also reads the group if its output is added to its input.
        readers = tuple(
            r
            for node in nodes
            for r in graph.readers(node.name)
            if not (r.name in group and r.operator.homogeneous_by_channel)
        )
        if (
            len(nodes) == len(group)  # the input image is not in the group
            and graph.nodes[-1] not in nodes  # nor is the output
            and len({graph.channels[node.name] for node in nodes}) == 1
            and all(is_scalable(n) or n.operator.homogeneous_by_channel for n in nodes)
            and not any(isinstance(n.operator, TransposedConv) for n in nodes)
            and readers
            and all(map(is_scalable, readers))
        ):
            yield _ScalableGroup(nodes, readers)


def _is_convolution(node: Node) -> bool:
    """Returns whether ``node`` is a convolution with a single kernel, that is, without branches."""
    match node.operator:
        case Conv(branches=branches):
            return branches is Branches.NONE
        case DepthwiseConv() | TransposedConv():
            return True
    return False


def _scale_of_outputs(node: Node, scale: Array) -> Array:
    """Returns ``scale`` of a convolution's output channels, broadcastable to its kernel."""
    return scale[:, None] if isinstance(node.operator, DepthwiseConv) else scale


def _scale_of_inputs(node: Node, scale: Array) -> Array:
    """Returns ``scale`` of a convolution's input channels, broadcastable to its kernel."""
    match node.operator:
        case Conv(groups=groups, filters=filters):
            return scale.reshape(groups, -1).repeat(filters // groups, axis=0).T
        case DepthwiseConv():
            return scale[:, None]
    return scale
