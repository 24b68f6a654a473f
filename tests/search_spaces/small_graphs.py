"""One small network for each operator, each x2, ready to be converted."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from search_spaces import (
    Activation,
    Add,
    Clip,
    ClipForm,
    Concat,
    Conv,
    DepthToSpace,
    DepthwiseConv,
    Graph,
    GraphBuilder,
    HardSwish,
    Interpolation,
    LeakyRelu,
    Mean,
    Multiply,
    NearestConv,
    Operator,
    Pad,
    Padding,
    Pool,
    PRelu,
    Reduction,
    Relu,
    Resize,
    ShuffleRows,
    Sigmoid,
    Slice,
    SpaceToDepth,
    Split,
    Subtract,
    Tanh,
    Tile,
    TransposedConv,
)
from search_spaces.graph.builder import Nonlinearity
from search_spaces.spaces.blocks import BlockKind, Head, Residual, Style, block, image_of, shrink


def between_convs(*operators: Operator, clip: ClipForm = ClipForm.SATURATE) -> Graph:
    """A conv of 8 channels, ``operators`` in a row, and a conv to the pixels of a x2 image."""
    net = GraphBuilder()
    features = net.conv(net.input, 8)
    for operator in operators:
        features = net.add_node(operator, features)
    return net.image(net.conv(features, 12), 2, clip)


def joined(operator: Operator) -> Graph:
    """Two convs of the image meet in ``operator``."""
    net = GraphBuilder()
    a, b = net.conv(net.input, 8), net.conv(net.input, 8, relu=True)
    return net.image(net.conv(net.add_node(operator, a, b), 12), 2)


def added_to_what_it_reads(filters: int = 8) -> Graph:
    """A conv's result and what it has read meet in a sum; one of one channel meets each of them."""
    net = GraphBuilder()
    features = net.conv(net.input, 8, relu=True)
    return net.image(net.conv(net.add(features, net.conv(features, filters)), 12), 2)


def sum_at_the_end() -> Graph:
    """The image is a sum that nothing follows, and a conv reads one of its two terms."""
    net = GraphBuilder()
    pixels = net.conv(net.add_node(Resize(factor=2), net.input), 3)
    net.add(pixels, net.conv(net.conv(pixels, 8, relu=True), 3))
    return net.graph


def gated(*gate: Operator) -> Graph:
    """Features times the ``gate`` made of them."""
    net = GraphBuilder()
    features = net.conv(net.input, 8, relu=True)
    weight = net.conv(features, 8, kernel=1)
    for operator in gate:
        weight = net.add_node(operator, weight)
    return net.image(net.conv(net.add_node(Multiply(), features, weight), 12), 2)


def channel_attention() -> Graph:
    """Features times a sigmoid of their means."""
    net = GraphBuilder()
    features = net.conv(net.input, 8, relu=True)
    weight = net.conv(net.add_node(Mean(), features), 8, kernel=1)
    weight = net.add_node(Sigmoid(), weight)
    return net.image(net.conv(net.add_node(Multiply(), features, weight), 12), 2)


def relu_of_a_sum() -> Graph:
    """A ReLU that the sum takes up, and one that stays, since the sum is read twice."""
    net = GraphBuilder()
    a, b = net.conv(net.input, 8), net.conv(net.input, 8)
    features = net.add_node(Relu(), net.add(a, b))
    total = net.add(features, a)
    return net.image(net.conv(net.concat(net.add_node(Relu(), total), total), 12), 2)


def split_branches() -> Graph:
    """Both halves of the channels, each with a conv of its own, and the first a second time."""
    net = GraphBuilder()
    features = net.conv(net.input, 8, relu=True)
    first, second = (net.add_node(Split(parts=2, index=i), features) for i in range(2))
    joint = net.concat(net.conv(first, 4), net.conv(second, 4, relu=True), first)
    return net.image(net.conv(joint, 12), 2)


def lone_split() -> Graph:
    """One part of three is read; nobody needs the others."""
    net = GraphBuilder()
    part = net.add_node(Split(parts=3, index=1), net.conv(net.input, 9))
    return net.image(net.conv(part, 12), 2)


def image_with_features() -> Graph:
    """The image, twice, beside features: it takes the features' scale first."""
    net = GraphBuilder()
    features = net.conv(net.input, 6, relu=True)
    return net.image(net.conv(net.concat(net.input, features, net.input), 12), 2)


def shuffled_rows(residual: bool = False) -> Graph:
    """Two rows of pixels by convs of their own, with what each adds of the image."""
    net = GraphBuilder()
    features = net.conv(net.input, 8, relu=True)
    rows = [net.conv(features, 6) for _ in range(2)]
    if residual:
        image = net.concat(net.input, net.input)
        rows = [net.add(row, image) for row in rows]
    net.add_node(Clip(), net.add_node(ShuffleRows(), *rows))
    return net.graph


def enlarged(resize: Resize) -> Graph:
    """``resize`` of features, before the last conv."""
    net = GraphBuilder()
    features = net.add_node(resize, net.conv(net.input, 8, relu=True))
    net.add_node(Clip(), net.conv(features, 3))
    return net.graph


def enlarged_image(interpolation: Interpolation) -> Graph:
    """The image, resized, and a residual upon it."""
    net = GraphBuilder()
    base = net.add_node(Resize(factor=2, interpolation=interpolation), net.input)
    residual = net.add_node(DepthToSpace(block=2), net.conv(net.input, 12))
    net.add_node(Clip(), net.add(base, residual))
    return net.graph


def tiled_anchor() -> Graph:
    """The image repeated by TILE and added to a conv."""
    net = GraphBuilder()
    anchor = net.add_node(Tile(count=4), net.input)
    return net.image(net.add(net.conv(net.input, 12), anchor), 2)


def nearest_conv_of_features() -> Graph:
    """Features, repeated by a convolution of fixed kernels."""
    return between_convs(NearestConv(count=3))


def transposed(stride: int, kernel: int) -> Graph:
    """FSRCNN's way: a transposed conv makes the pixels."""
    net = GraphBuilder()
    features = net.conv(net.input, 8, relu=True)
    net.add_node(Clip(), net.add_node(TransposedConv(3, kernel, stride), features))
    return net.graph


def folded() -> Graph:
    """Works on blocks of 2x2 pixels."""
    net = GraphBuilder()
    features = net.conv(net.add_node(SpaceToDepth(block=2), net.input), 16, relu=True)
    return net.image(net.conv(features, 48), 4)


def grey_arithmetic() -> Graph:
    """Sigmoid, tanh and a leaky ReLU in one network, on scales of their own."""
    net = GraphBuilder()
    features = net.conv(net.input, 8)
    a = net.add_node(Sigmoid(), net.conv(features, 8))
    b = net.add_node(Tanh(), net.conv(features, 8))
    return net.image(net.conv(net.concat(a, b, net.add_node(LeakyRelu(), features)), 12), 2)


def blocks_of(kind: BlockKind) -> Graph:
    """Two blocks of a kind, as the spaces have them."""
    net, style = GraphBuilder(), Style()
    features = style.conv(net, net.input, 8)
    for _ in range(2):
        features = block(net, style, kind, features, 8)
    return image_of(net, style, features, 2)


def with_residual(residual: Residual, scale: int, stride: int = 1) -> Graph:
    """A conv of the image, and each way to add the image to its pixels."""
    net, style = GraphBuilder(), Style()
    features = style.conv(net, shrink(net, net.input, stride), 16)
    return image_of(net, style, features, scale, stride=stride, residual=residual)


def activated(then: Nonlinearity) -> Graph:
    """Two convs, each followed by an activation."""
    net, style = GraphBuilder(), Style(then)
    features = style.conv(net, style.conv(net, net.input, 8), 8)
    return image_of(net, style, features, 2)


def headed(head: Head) -> Graph:
    """Pixels by each head."""
    net, style = GraphBuilder(), Style()
    return image_of(net, style, style.conv(net, net.input, 8), 2, head=head)


SMALL: dict[str, Callable[[], Graph]] = {
    "conv, relu": lambda: between_convs(Conv(filters=8, activation=Activation.RELU)),
    "conv, no bias": lambda: between_convs(Conv(filters=8, bias=False)),
    "conv, dilated": lambda: between_convs(Conv(filters=8, dilation=2)),
    "conv, 5x5 in 4 groups": lambda: between_convs(Conv(filters=8, kernel=5, groups=4)),
    "conv, valid after pad": lambda: between_convs(Pad(), Conv(filters=8, padding=Padding.VALID)),
    "conv, stride": lambda: between_convs(
        Conv(filters=32, stride=2, activation=Activation.RELU), DepthToSpace(block=2)
    ),
    "nearest conv": nearest_conv_of_features,
    "depthwise conv": lambda: between_convs(DepthwiseConv()),
    "depthwise conv, relu": lambda: between_convs(DepthwiseConv(activation=Activation.RELU)),
    "depthwise conv, dilated": lambda: between_convs(DepthwiseConv(dilation=2)),
    "transposed conv x2": lambda: transposed(2, 4),
    "transposed conv x3": lambda: transposed(3, 9),
    "add": lambda: joined(Add()),
    "add, relu": lambda: joined(Add(activation=Activation.RELU)),
    "add, to what it reads": added_to_what_it_reads,
    "add, one channel": lambda: added_to_what_it_reads(filters=1),
    "add, at the end": sum_at_the_end,
    "subtract": lambda: joined(Subtract()),
    "multiply with sigmoid": lambda: gated(Sigmoid()),
    "multiply with tanh": lambda: gated(Tanh()),
    "channel attention": channel_attention,
    "concat": lambda: joined(Concat()),
    "concat, image and features": image_with_features,
    "concat, sigmoid and tanh": grey_arithmetic,
    "split": split_branches,
    "split, one part": lone_split,
    "slice": lambda: between_convs(Slice(begin=2, size=5)),
    "relu": lambda: between_convs(Relu()),
    "relu after prelu": lambda: between_convs(PRelu(), Relu()),
    "relu of a sum": relu_of_a_sum,
    "leaky relu": lambda: between_convs(LeakyRelu(alpha=0.2)),
    "prelu": lambda: between_convs(PRelu()),
    "tanh": lambda: between_convs(Tanh()),
    "sigmoid": lambda: between_convs(Sigmoid()),
    "hard swish": lambda: between_convs(HardSwish()),
    "clip by operators": lambda: between_convs(clip=ClipForm.OPERATOR),
    "space_to_depth": folded,
    "shuffle rows": shuffled_rows,
    "shuffle rows of sums": lambda: shuffled_rows(residual=True),
    "resize nearest": lambda: enlarged(Resize(factor=2)),
    "resize nearest x3": lambda: enlarged(Resize(factor=3)),
    "resize nearest of the image": lambda: enlarged_image(Interpolation.NEAREST),
    "resize bilinear": lambda: enlarged(
        Resize(factor=2, interpolation=Interpolation.BILINEAR)
    ),
    "resize bilinear of the image": lambda: enlarged_image(Interpolation.BILINEAR),
    "tile": tiled_anchor,
    "pad": lambda: between_convs(Pad(border=2), Conv(filters=8, kernel=5, padding=Padding.VALID)),
    "pool, largest": lambda: between_convs(Pool(size=3)),
    "pool, average": lambda: between_convs(Pool(reduction=Reduction.AVERAGE, size=3)),
    "pool, stride": lambda: between_convs(
        Conv(filters=32), Pool(stride=2), DepthToSpace(block=2)
    ),
    "pool, stride beyond its window": lambda: between_convs(
        Conv(filters=128), Pool(stride=4), DepthToSpace(block=4)
    ),
    **{f"block {kind}": partial(blocks_of, kind) for kind in BlockKind},
    **{
        f"residual {residual}": partial(with_residual, residual, 2)
        for residual in Residual
        if residual is not Residual.NONE
    },
    "residual conv of blocks": lambda: with_residual(Residual.CONV, 2, stride=2),
    "residual nearest x3": lambda: with_residual(Residual.NEAREST, 3),
    **{
        f"activation {then}": partial(activated, then)
        for then in Nonlinearity
        if then is not Nonlinearity.NONE
    },
    **{
        f"head {head}": partial(headed, head) for head in Head
    },
}  # fmt: skip
