"""Building blocks that the spaces share: stems, bodies, skips, heads and residuals.

Each function adds its nodes to a builder and returns the name of its result.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from ..graph.activations import Clip, ClipForm, Sigmoid
from ..graph.builder import GraphBuilder, Nonlinearity
from ..graph.convolutions import Branches, DepthwiseConv, TransposedConv
from ..graph.graph import Graph
from ..graph.operators import (
    DepthToSpace,
    Interpolation,
    Multiply,
    NearestConv,
    Resize,
    SpaceToDepth,
    Split,
)


class BlockKind(StrEnum):
    """The form of a layer of the body."""

    #: conv 3x3
    PLAIN = "plain"
    #: grouped conv 3x3 as one TFLite operator, and a conv 1x1 that mixes the groups (XLSR)
    GROUPED = "grouped"
    #: like GROUPED, but with a SPLIT, one conv per group, and a CONCATENATION
    GROUPED_SPLIT = "grouped_split"
    #: depthwise conv 3x3 and a conv 1x1 (MobileNet, arXiv:1704.04861)
    SEPARABLE = "separable"
    #: two convs 3x3, to which the block's input is added (EDSR, arXiv:1707.02921; no batch norm)
    RESIDUAL = "residual"
    #: a residual block whose branch is multiplied by a spatial attention computed from it (Mobile
    #: AI 2021, mju_gogogo)
    ATTENTION = "attention"


class Skip(StrEnum):
    """How the body's result is combined with earlier tensors."""

    NONE = "none"
    #: adds the stem's features to the body's
    ADD = "add"
    #: concatenates a conv 3x3 of the image with the body's features, then a conv 1x1 (XLSR)
    CONCAT_CONV = "concat_conv"
    #: concatenates the image with the body's features (SCSRN)
    CONCAT_IMAGE = "concat_image"
    #: concatenates the results of all blocks, then a conv 1x1, then adds the stem's features
    GATHER = "gather"


class Residual(StrEnum):
    """The image to which the network's pixels are added."""

    NONE = "none"
    #: the input repeated by CONCATENATION, before depth_to_space (ABPN's anchor)
    ANCHOR = "anchor"
    #: the input repeated by a fixed conv 1x1 (NCNet)
    NEAREST_CONV = "nearest_conv"
    #: the input enlarged by RESIZE_NEAREST_NEIGHBOR, added to the pixels
    NEAREST = "nearest"
    #: the input enlarged by RESIZE_BILINEAR, added to the pixels
    BILINEAR = "bilinear"
    #: a conv 3x3 of the input, before depth_to_space (TinySRNet)
    CONV = "conv"


class Head(StrEnum):
    """The layers that compute pixels from features."""

    DEPTH_TO_SPACE = "depth_to_space"
    #: a transposed convolution (FSRCNN)
    TRANSPOSED = "transposed"
    #: nearest-neighbor enlargement of 8 channels, and a conv 3x3
    RESIZE_CONV = "resize_conv"


#: Number of groups of GROUPED and GROUPED_SPLIT blocks, as in XLSR.
GROUPS = 4
#: Ratio of the inner channels of spatial attention to the block's; 48 of 64 give the file size of
#: mju_gogogo.
_ATTENTION_RATIO = 0.75
#: Number of channels that RESIZE_CONV enlarges.
_RESIZED_CHANNELS = 8


@dataclass(frozen=True)
class Style:
    """The activation and the branches that the convolutions of a network share."""

    then: Nonlinearity = Nonlinearity.RELU
    branches: Branches = Branches.NONE

    def conv(self, net: GraphBuilder, source: str, filters: int, kernel: int = 3) -> str:
        """Adds a convolution in this style; a 1x1 convolution has no branches."""
        branches = self.branches if kernel > 1 else Branches.NONE
        return net.conv(source, filters, kernel=kernel, then=self.then, branches=branches)

    @property
    def linear(self) -> Style:
        """The same style without an activation."""
        return replace(self, then=Nonlinearity.NONE)


def parallel_stem(net: GraphBuilder, style: Style, source: str, width: int, count: int) -> str:
    """Adds ``count`` parallel convs 3x3 with ``width`` channels in total (XLSR)."""
    return net.concat(*[style.conv(net, source, width // count) for _ in range(count)])


def block(net: GraphBuilder, style: Style, kind: BlockKind, source: str, width: int) -> str:
    """Adds one block; RESIDUAL and ATTENTION require a ``source`` of ``width`` channels."""
    match kind:
        case BlockKind.PLAIN:
            return style.conv(net, source, width)
        case BlockKind.GROUPED:
            features = net.conv(source, width, groups=GROUPS, then=style.then)
            return net.conv(features, width, kernel=1)
        case BlockKind.GROUPED_SPLIT:
            parts = [net.add_node(Split(GROUPS, index), source) for index in range(GROUPS)]
            convs = [net.conv(part, width // GROUPS, then=style.then) for part in parts]
            return net.conv(net.concat(*convs), width, kernel=1)
        case BlockKind.SEPARABLE:
            features = net.add_node(DepthwiseConv(), source)
            return net.conv(features, width, kernel=1, then=style.then)
        case BlockKind.RESIDUAL:
            return net.add(source, _two_convs(net, style, source, width))
    features = _two_convs(net, style, source, width)
    inner = int(width * _ATTENTION_RATIO)
    gate = net.conv(net.conv(features, inner, relu=True), width)
    return net.add(source, net.add_node(Multiply(), features, net.add_node(Sigmoid(), gate)))


def _two_convs(net: GraphBuilder, style: Style, source: str, width: int) -> str:
    return style.linear.conv(net, style.conv(net, source, width), width)


def image_of(
    net: GraphBuilder,
    style: Style,
    features: str,
    scale: int,
    *,
    residual: Residual = Residual.NONE,
    head: Head = Head.DEPTH_TO_SPACE,
    head_kernel: int = 9,
    stride: int = 1,
    clip: ClipForm = ClipForm.SATURATE,
) -> Graph:
    """Ends the network: pixels from ``features`` plus ``residual``, clipped to 0..255.

    ``features`` are ``stride`` times smaller than the image, due to space_to_depth.
    """
    factor = scale * stride
    if head is Head.TRANSPOSED:
        pixels = net.add_node(TransposedConv(3, head_kernel, factor), features)
    elif head is Head.RESIZE_CONV:
        small = style.conv(net, features, _RESIZED_CHANNELS)
        pixels = net.conv(net.add_node(Resize(factor), small), 3)
    else:
        values = style.linear.conv(net, features, 3 * factor**2)
        values = _add_residual_before_shuffle(net, values, residual, factor, stride)
        pixels = net.add_node(DepthToSpace(block=factor), values)
    if residual in _INTERPOLATION:
        enlarged = net.add_node(Resize(scale, _INTERPOLATION[residual]), net.input)
        pixels = net.add(pixels, enlarged)
    net.add_node(Clip(form=clip), pixels)
    return net.graph


_INTERPOLATION = {
    Residual.NEAREST: Interpolation.NEAREST,
    Residual.BILINEAR: Interpolation.BILINEAR,
}


def _add_residual_before_shuffle(
    net: GraphBuilder, values: str, residual: Residual, factor: int, stride: int
) -> str:
    """Adds a residual that is added before depth_to_space to ``values``, if it is one."""
    match residual:
        case Residual.ANCHOR:
            return net.add(values, net.concat(*[net.input] * factor**2))
        case Residual.NEAREST_CONV:
            return net.add(values, net.add_node(NearestConv(factor**2), net.input))
        case Residual.CONV:
            small = shrink(net, net.input, stride)
            return net.add(values, net.conv(small, 3 * factor**2))
    return values


def shrink(net: GraphBuilder, source: str, stride: int) -> str:
    """Adds a space_to_depth by ``stride`` if that is more than 1."""
    return net.add_node(SpaceToDepth(stride), source) if stride > 1 else source
