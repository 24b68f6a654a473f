"""Channels of a tensor scaled against one another, before they share one INT8 scale.

What a convolution gives may be divided by anything, channel by channel, and what reads it
multiplied: ReLUs pass that on, and so do additions if both sides agree (Nagel et al., "Data-Free
Quantization Through Weight Equalization and Bias Correction", ICCV 2019).
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

#: A channel as dark as this, of white, is not brought up any further.
_DARKEST = 1e-3
#: A kernel as small as this reads nothing, and a tensor holds nothing.
_SMALLEST = 1e-6
#: Half of the way, in logarithms, to channels that all fill their tensor's range. The whole way
#: saves no more of what INT8 costs, and makes some weights too small for their kernel's scale.
_BALANCE = 0.5
#: Channels that fill so much of the range count as filling it, and stay as they are: among them
#: are any that carry the image exactly.
_FULL = 0.8
#: The least of that which a channel counts as filling.
_FAINT = 1 / 256


def equalize(graph: Graph, weights: Weights, maxima: Weights) -> dict[str, Array]:
    """Weights for ``fold_residual``: no channel exceeds white, 1 normalized, within ``maxima``.

    ``maxima`` are the largest absolute values met in each channel of each tensor, normalized.
    Each channel is brought up to white. Where the last convolution reads it, it is balanced with
    the kernel (section 4.1 of the paper): beside the weight of 1 that adds the image, small ones
    would be rounded away.
    """
    import numpy as np

    last = find_residual(graph).last.name
    scaled = dict(weights)
    for tied in _tied(graph, is_plain_conv):
        before_last = last in {reader.name for reader in tied.readers}
        if before_last and tied.is_linear:
            continue  # it may be the identity of ``separate_sum`` that reads it, and stays exact
        largest: Array = np.max([maxima[node.name] for node in tied.nodes], axis=0)
        scale: Array = np.maximum(largest, _DARKEST, dtype=np.float32)
        if before_last:
            kernels = [np.abs(scaled[f"{reader.name}/kernel"]) for reader in tied.readers]
            read = np.max([kernel.max(axis=(0, 1, 3)) for kernel in kernels], axis=0)
            balanced = np.sqrt(scale / np.maximum(read, _SMALLEST))
            scale = np.maximum(scale, balanced, dtype=np.float32)
        tied.divide(scaled, scale)
    return scaled


def balance(graph: Graph, weights: Weights, maxima: Weights) -> dict[str, Array]:
    """Weights of a network that computes the same, its faint channels brought up.

    A channel that fills a tenth of its tensor's range has a tenth of the levels. ``maxima`` are as
    in ``equalize``. It is for kernels with an INT8 scale for each output channel: where there is
    one for all, it does harm.
    """
    import numpy as np

    scaled = dict(weights)
    for tied in _tied(graph, _is_convolution):
        filled = [maxima[n.name] / max(float(maxima[n.name].max()), _SMALLEST) for n in tied.nodes]
        share: Array = np.max(filled, axis=0)
        tied.divide(scaled, np.clip(share / _FULL, _FAINT, 1).astype(np.float32) ** _BALANCE)
    return scaled


@dataclass(frozen=True)
class _Tied:
    """Nodes whose tensors can be divided, by the same all of them, and the convolutions beyond.

    ``readers`` has a convolution once for each time that it reads.
    """

    nodes: tuple[Node, ...]
    readers: tuple[Node, ...]

    @property
    def is_linear(self) -> bool:
        """Is it a convolution without a ReLU, alone?"""
        first, *others = self.nodes
        return not others and getattr(first.operator, "activation", None) is Activation.NONE

    def divide(self, weights: dict[str, Array], scale: Array) -> None:
        """Divides the channels in ``weights`` by ``scale``, and multiplies what reads them."""
        for node in self.nodes:
            if _is_convolution(node):
                channels = _of_filters(node, scale)
                weights[f"{node.name}/kernel"] = weights[f"{node.name}/kernel"] / channels
            if f"{node.name}/bias" in weights:
                weights[f"{node.name}/bias"] = weights[f"{node.name}/bias"] / scale
        for reader in self.readers:
            channels = _of_inputs(reader, scale)
            weights[f"{reader.name}/kernel"] = weights[f"{reader.name}/kernel"] * channels


def _tied(graph: Graph, is_scaled: Callable[[Node], bool]) -> Iterator[_Tied]:
    """Between convolutions that ``is_scaled`` holds for."""
    groups: dict[str, set[str]] = {}
    for node in graph.nodes:
        group = {node.name}
        if node.operator.homogeneous_by_channel:
            group |= {name for source in node.inputs for name in groups.get(source, {source})}
        groups |= dict.fromkeys(group, group)
    for group in {id(group): group for group in groups.values()}.values():
        nodes = tuple(node for node in graph.nodes if node.name in group)
        # A convolution of the group reads it, too, where its result is added to what it read.
        readers = tuple(
            r
            for node in nodes
            for r in graph.readers(node.name)
            if not (r.name in group and r.operator.homogeneous_by_channel)
        )
        if (
            len(nodes) == len(group)  # the image is none of them
            and graph.nodes[-1] not in nodes  # nor what the network gives
            and len({graph.channels[node.name] for node in nodes}) == 1
            and all(is_scaled(n) or n.operator.homogeneous_by_channel for n in nodes)
            and not any(isinstance(n.operator, TransposedConv) for n in nodes)
            and readers
            and all(map(is_scaled, readers))
        ):
            yield _Tied(nodes, readers)


def _is_convolution(node: Node) -> bool:
    """Has it one kernel, and a weight of it for each pair of channels that meet at a pixel?"""
    match node.operator:
        case Conv(branches=branches):
            return branches is Branches.NONE
        case DepthwiseConv() | TransposedConv():
            return True
    return False


def _of_filters(node: Node, scale: Array) -> Array:
    """``scale`` of the channels that a convolution gives, beside its kernel."""
    return scale[:, None] if isinstance(node.operator, DepthwiseConv) else scale


def _of_inputs(node: Node, scale: Array) -> Array:
    """``scale`` of the channels that a convolution reads, beside its kernel."""
    match node.operator:
        case Conv(groups=groups, filters=filters):
            return scale.reshape(groups, -1).repeat(filters // groups, axis=0).T
        case DepthwiseConv():
            return scale[:, None]
    return scale
