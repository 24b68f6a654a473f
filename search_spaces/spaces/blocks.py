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
    """What a layer of the body is."""

    #: conv 3x3
    PLAIN = "plain"
    #: grouped conv 3x3 as TFLite's own operator, and a conv 1x1 that mixes the groups (XLSR)
    GROUPED = "grouped"
    #: the same as SPLIT, a conv for each group, and CONCATENATION
    GROUPED_SPLIT = "grouped_split"
    #: depthwise conv 3x3 and a conv 1x1 (MobileNet, arXiv:1704.04861)
    SEPARABLE = "separable"
    #: two convs 3x3 and the block's input upon them (EDSR, arXiv:1707.02921; no batch norm)
    RESIDUAL = "residual"
    #: a residual block times the spatial attention made of it (Mobile AI 2021, mju_gogogo)
    ATTENTION = "attention"


class Skip(StrEnum):
    """How the body's result meets what was before it."""

    NONE = "none"
    #: the stem's features upon the body's
    ADD = "add"
    #: a conv 3x3 of the image beside them, and a conv 1x1 over all (XLSR)
    CONCAT_CONV = "concat_conv"
    #: the image beside them (SCSRN)
    CONCAT_IMAGE = "concat_image"
    #: every block's result side by side, a conv 1x1 over all, and the stem's features upon that
    GATHER = "gather"


class Residual(StrEnum):
    """What image the network's pixels are added to."""

    NONE = "none"
    #: the input repeated by CONCATENATION, before depth_to_space (ABPN's anchor)
    ANCHOR = "anchor"
    #: the input repeated by a fixed conv 1x1 (NCNet)
    NEAREST_CONV = "nearest_conv"
    #: the input enlarged by RESIZE_NEAREST_NEIGHBOR, upon the pixels
    NEAREST = "nearest"
    #: the input enlarged by RESIZE_BILINEAR, upon the pixels
    BILINEAR = "bilinear"
    #: a conv 3x3 of the input, before depth_to_space (TinySRNet)
    CONV = "conv"


class Head(StrEnum):
    """What makes pixels of features."""

    DEPTH_TO_SPACE = "depth_to_space"
    #: FSRCNN's
    TRANSPOSED = "transposed"
    #: nearest-neighbor enlargement of 8 channels, and a conv 3x3
    RESIZE_CONV = "resize_conv"


#: Groups of GROUPED blocks: XLSR's.
GROUPS = 4
#: Inner channels of spatial attention for each of the block's: 48 of 64 give mju_gogogo's size.
_ATTENTION = 0.75
#: Channels that RESIZE_CONV enlarges.
_RESIZED = 8


@dataclass(frozen=True)
class Style:
    """What all convolutions of a network have in common."""

    then: Nonlinearity = Nonlinearity.RELU
    branches: Branches = Branches.NONE

    def conv(self, net: GraphBuilder, source: str, filters: int, kernel: int = 3) -> str:
        """A plain convolution in this style; one of 1x1 needs no branches."""
        branches = self.branches if kernel > 1 else Branches.NONE
        return net.conv(source, filters, kernel=kernel, then=self.then, branches=branches)

    @property
    def linear(self) -> Style:
        """The same without its activation."""
        return replace(self, then=Nonlinearity.NONE)


def parallel_stem(net: GraphBuilder, style: Style, source: str, width: int, count: int) -> str:
    """``count`` convs 3x3 side by side, together of ``width`` channels (XLSR)."""
    return net.concat(*[style.conv(net, source, width // count) for _ in range(count)])


def block(net: GraphBuilder, style: Style, kind: BlockKind, source: str, width: int) -> str:
    """One layer of the body; RESIDUAL and ATTENTION take ``source`` of ``width`` channels."""
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
    inner = int(width * _ATTENTION)
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
    """The finished network: pixels of ``features``, upon ``residual``, held in 0..255.

    ``features`` are ``stride`` times smaller than the image (by space_to_depth).
    """
    factor = scale * stride
    if head is Head.TRANSPOSED:
        pixels = net.add_node(TransposedConv(3, head_kernel, factor), features)
    elif head is Head.RESIZE_CONV:
        small = style.conv(net, features, _RESIZED)
        pixels = net.conv(net.add_node(Resize(factor), small), 3)
    else:
        values = style.linear.conv(net, features, 3 * factor**2)
        values = _with_low_residual(net, values, residual, factor, stride)
        pixels = net.add_node(DepthToSpace(block=factor), values)
    if residual in _ENLARGED:
        enlarged = net.add_node(Resize(scale, _ENLARGED[residual]), net.input)
        pixels = net.add(pixels, enlarged)
    net.add_node(Clip(form=clip), pixels)
    return net.graph


_ENLARGED = {
    Residual.NEAREST: Interpolation.NEAREST,
    Residual.BILINEAR: Interpolation.BILINEAR,
}


def _with_low_residual(
    net: GraphBuilder, values: str, residual: Residual, factor: int, stride: int
) -> str:
    """``values`` with what is added before depth_to_space."""
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
    """space_to_depth by ``stride``, if that is more than 1."""
    return net.add_node(SpaceToDepth(stride), source) if stride > 1 else source
