"""Features of a network that predict its quality, computed from the graphs of any search space.

The features, except the last two, describe the trained network with merged branches. Folding and
padding for a device do not change its results.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import TYPE_CHECKING

from search_spaces import Candidate, Figures, Graph, InputSpec, Node, infer
from search_spaces.graph.activations import Clip, LeakyRelu, PRelu
from search_spaces.graph.capacity import values_per_pixel
from search_spaces.graph.convolutions import Conv, DepthwiseConv, TransposedConv
from search_spaces.graph.graph import INPUT
from search_spaces.graph.operator import Activation
from search_spaces.graph.operators import Add, Concat, Multiply, Resize
from search_spaces.transforms.folding import ResidualFold

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

#: Side of the LR input for which features are computed, in pixels; limits the receptive field.
_SIDE = 240


@dataclass(frozen=True)
class Features:
    """Features of one network.

    Logarithms are binary, shares are 0 to 1, and widths are numbers of values per LR pixel.
    """

    log_scale: float
    #: multiply-accumulates per LR pixel
    log_macs: float
    log_parameters: float
    #: ratio of the parameters in training to those after branches are merged
    log_branching: float
    #: number of convolutions
    log_convolutions: float
    #: largest number of convolutions on a path from input to output
    log_depth: float
    #: side of the receptive field in LR pixels
    log_receptive_field: float
    #: maximum flow of values from input to output per LR pixel (``values_per_pixel``)
    log_narrowest: float
    #: smallest, mean and largest width of the results of convolutions
    log_slimmest: float
    log_mean_width: float
    log_widest: float
    #: shares of kinds of convolutions in all multiply-accumulates
    pointwise_share: float
    grouped_share: float
    depthwise_share: float
    transposed_share: float
    #: share of multiply-accumulates of operators whose result is larger than the LR image
    enlarged_share: float
    #: number of activations of each kind divided by the number of convolutions
    relu_share: float
    clip_share: float
    leaky_relu_share: float
    prelu_share: float
    #: tanh, sigmoid and all other operators that are not homogeneous
    tanh_share: float
    #: numbers n of nodes, as log2(1 + n)
    log_adds: float
    log_concats: float
    log_products: float
    #: smallest ratio of kernel to stride of transposed convolutions; below 1, the image has gaps
    log_overlap: float
    #: factor by which the image is reduced at the input
    log_stride: float
    #: 1 if a path leads from the image to the output without a convolution, else 0
    carries_image: float
    #: 1 if the deployment folds the residual or the clip, which costs some INT8 levels, else 0
    residual_is_folded: float
    clip_is_folded: float

    def __post_init__(self) -> None:
        if not all(math.isfinite(value) for value in _values_of(self)):
            raise ValueError(f"features must be finite: {self}")


NAMES = tuple(field.name for field in fields(Features))
_values_of: Callable[[Features], tuple[float, ...]] = attrgetter(*NAMES)


def features_of(candidate: Candidate) -> Features:
    """Returns the features of a network of any search space."""
    graph = candidate.merged.graph
    side = graph.multiple * math.ceil(_SIDE / graph.multiple)
    figures = infer(graph, InputSpec(side, side))
    pixels = side * side
    convolutions = [node for node in graph.nodes if node.operator.weighs]
    shares = _Shares(graph, figures)
    widths = [math.prod(figures.nodes[node.name].shape) / pixels for node in convolutions]
    kinds = Counter(type(node.operator) for node in graph.nodes)
    deployment = candidate.deployment
    return Features(
        log_scale=math.log2(graph.scale),
        log_macs=_log(figures.macs / pixels),
        log_parameters=_log(figures.parameters),
        log_branching=_log(candidate.graph.parameters / max(1, figures.parameters)),
        log_convolutions=_log(len(convolutions)),
        log_depth=_log(_depth(graph)),
        log_receptive_field=_log(_receptive_field(graph, figures, side)),
        log_narrowest=_log(values_per_pixel(graph)),
        log_slimmest=_log(min(widths, default=1.0)),
        log_mean_width=sum(map(_log, widths)) / max(1, len(widths)),
        log_widest=_log(max(widths, default=1.0)),
        pointwise_share=shares.of(_is_pointwise),
        grouped_share=shares.of(_is_grouped),
        depthwise_share=shares.of(_is_depthwise),
        transposed_share=shares.of(_is_transposed),
        enlarged_share=shares.of(lambda node: figures.nodes[node.name].shape[0] > side),
        relu_share=sum(map(_has_relu, convolutions)) / max(1, len(convolutions)),
        # The last clip limits the output and is not an activation.
        clip_share=max(0, kinds[Clip] - 1) / max(1, len(convolutions)),
        leaky_relu_share=kinds[LeakyRelu] / max(1, len(convolutions)),
        prelu_share=kinds[PRelu] / max(1, len(convolutions)),
        tanh_share=sum(map(_is_not_homogeneous, graph.nodes)) / max(1, len(convolutions)),
        log_adds=math.log2(1 + kinds[Add]),
        log_concats=math.log2(1 + kinds[Concat]),
        log_products=math.log2(1 + kinds[Multiply] + kinds[Resize]),
        log_overlap=min(map(_log_overlap, convolutions), default=0.0),
        log_stride=math.log2(graph.multiple),
        carries_image=float(_carries_image(graph)),
        residual_is_folded=float(deployment.fold_residual is not ResidualFold.NONE),
        clip_is_folded=float(deployment.fold_clip),
    )


def matrix_of(rows: list[Features]) -> Floats:
    """Returns float64 (networks, features), with columns in the order of ``NAMES``."""
    import numpy as np

    return np.array([_values_of(row) for row in rows], np.float64).reshape(-1, len(NAMES))


def _log(value: float) -> float:
    """Returns the binary logarithm of ``value``, but at least that of 0.001."""
    return math.log2(max(value, 1e-3))


def _depth(graph: Graph) -> int:
    """Returns the largest number of convolutions on a path from input to output."""
    depths = {INPUT: 0}
    for node in graph.nodes:
        depths[node.name] = max(depths[name] for name in node.inputs) + node.operator.weighs
    return depths[graph.nodes[-1].name]


def _receptive_field(graph: Graph, figures: Figures, side: int) -> float:
    """Returns the side of the area that an output pixel depends on, in LR pixels."""
    heights = {INPUT: side} | {name: row.shape[0] for name, row in figures.nodes.items()}
    fields = {INPUT: 1.0}
    for node in graph.nodes:
        widest = max(node.inputs, key=fields.__getitem__)
        reach = (node.operator.window - 1) * side / heights[widest]
        fields[node.name] = min(side, fields[widest] + reach)
    return fields[graph.nodes[-1].name]


class _Shares:
    """Computes shares of a graph's multiply-accumulates."""

    def __init__(self, graph: Graph, figures: Figures) -> None:
        macs = ((node, figures.nodes[node.name].macs) for node in graph.nodes)
        self._macs_of_nodes = [(node, count) for node, count in macs if count]
        self._total = max(1, figures.macs)

    def of(self, selects: Callable[[Node], bool]) -> float:
        """Returns the share of the nodes that ``selects`` selects."""
        selected = (macs for node, macs in self._macs_of_nodes if selects(node))
        return sum(selected) / self._total


def _is_pointwise(node: Node) -> bool:
    return isinstance(node.operator, Conv) and node.operator.kernel == 1


def _is_grouped(node: Node) -> bool:
    return isinstance(node.operator, Conv) and node.operator.groups > 1


def _is_depthwise(node: Node) -> bool:
    return isinstance(node.operator, DepthwiseConv)


def _is_transposed(node: Node) -> bool:
    return isinstance(node.operator, TransposedConv)


def _log_overlap(node: Node) -> float:
    operator = node.operator
    if not isinstance(operator, TransposedConv):
        return 1.0
    return math.log2(operator.kernel / operator.stride)


def _is_not_homogeneous(node: Node) -> bool:
    return not node.operator.homogeneous


def _has_relu(node: Node) -> bool:
    return node.operator.fused_activation is Activation.RELU


def _carries_image(graph: Graph) -> bool:
    """Returns whether a path leads from the image to the output without a convolution."""
    carrying = {INPUT}
    for node in graph.nodes:
        if node.operator.carries_image and not carrying.isdisjoint(node.inputs):
            carrying.add(node.name)
    return graph.nodes[-1].name in carrying
