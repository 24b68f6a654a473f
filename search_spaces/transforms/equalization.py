"""Channels brought to the image's own range, so that both share one INT8 scale without loss.

What a convolution gives may be divided by anything, channel by channel, and what reads it
multiplied: ReLUs pass that on, and so do additions if both sides agree (Nagel et al., "Data-Free
Quantization Through Weight Equalization and Bias Correction", ICCV 2019).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..graph.graph import Graph, Node
from ..graph.operator import Activation
from .folding import find_residual
from .rewrites import is_plain_conv

if TYPE_CHECKING:
    from .rewrites import Array, Weights

#: A channel as dark as this, of white, is not brought up any further.
_DARKEST = 1e-3
#: A kernel as small as this reads nothing.
_SMALLEST = 1e-6


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
    for tied in _tied(graph):
        reading = _read_by(graph, tied)
        before_last = last in {reader.name for reader in reading}
        if before_last and _is_linear(tied):
            continue  # it may be the identity of ``separate_sum`` that reads it, and stays exact
        largest: Array = np.max([maxima[node.name] for node in tied], axis=0)
        scale: Array = np.maximum(largest, _DARKEST, dtype=np.float32)
        if before_last:
            kernels = [np.abs(scaled[f"{reader.name}/kernel"]) for reader in reading]
            read = np.max([kernel.max(axis=(0, 1, 3)) for kernel in kernels], axis=0)
            balance = np.sqrt(scale / np.maximum(read, _SMALLEST))
            scale = np.maximum(scale, balance, dtype=np.float32)
        for key in (f"{node.name}/{part}" for node in tied for part in ("kernel", "bias")):
            if key in scaled:
                scaled[key] = scaled[key] / scale
        for reader in reading:
            kernel = scaled[f"{reader.name}/kernel"]
            scaled[f"{reader.name}/kernel"] = kernel * scale[:, np.newaxis]
    return scaled


def _tied(graph: Graph) -> Iterator[list[Node]]:
    """Nodes whose tensors can be divided, by the same all of them: between plain convolutions."""
    groups: dict[str, set[str]] = {}
    for node in graph.nodes:
        group = {node.name}
        if node.operator.homogeneous_by_channel:
            group |= {name for source in node.inputs for name in groups.get(source, {source})}
        groups |= dict.fromkeys(group, group)
    for group in {id(group): group for group in groups.values()}.values():
        tied = [node for node in graph.nodes if node.name in group]
        reading = _read_by(graph, tied)
        if (
            len(tied) == len(group)  # the image is none of them
            and all(is_plain_conv(n) or n.operator.homogeneous_by_channel for n in tied)
            and reading
            and all(map(is_plain_conv, reading))
        ):
            yield tied


def _is_linear(tied: list[Node]) -> bool:
    """Is it a convolution without a ReLU, alone?"""
    (first, *others) = tied
    return not others and getattr(first.operator, "activation", None) is Activation.NONE


def _read_by(graph: Graph, tied: list[Node]) -> list[Node]:
    """What reads ``tied`` and is none of them, once for each time."""
    names = {node.name for node in tied}
    return [r for node in tied for r in graph.readers(node.name) if r.name not in names]
