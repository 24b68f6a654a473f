"""Published times of operators and networks on the VS680, as a measurement table."""

from __future__ import annotations

import itertools
import math

from latency_models.sources.regression import Measurement
from search_spaces import (
    Clip,
    ClipForm,
    DepthToSpace,
    Graph,
    GraphBuilder,
    LoweredOperator,
    Resize,
    SpaceToDepth,
    Tensor,
    lower,
    zoo,
)

from .bare_operators import LR, with_uint8_ends

#: Inverted residual blocks: expansion, channels, number of blocks, stride of the first.
MOBILENET_V2 = (
    (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
)  # fmt: skip


def vs680() -> tuple[Measurement, ...]:
    """Returns times of operators and networks; three of the networks have inferred graphs.

    Sources: Du et al., arXiv:2105.09750 (operators); the Mobile AI 2021 report, arXiv:2105.07825
    (networks); PureConvSR, Mobile AI and AIM 2022; Synaptics' benchmark page (the other times
    with the later software).
    """
    xlsr, abpn = lower(zoo.xlsr(3), LR), lower(zoo.abpn(3), LR)
    return (
        Measurement("add, 28 channels", (_add(28),), 5.2, stack="2021"),
        Measurement("anchor residual", _anchor(), 15.6, stack="2021"),
        Measurement("nearest resize x3", (_resize(),), 62.0, stack="2021"),
        Measurement("XLSR", xlsr, 44.85, "XLSR", stack="2021"),
        Measurement("ABPN", abpn, 36.89, "ABPN", stack="2021"),
        Measurement("TinySRNet, inferred", lower(tinysrnet(), LR), 38.32, stack="2021"),
        Measurement("FastSR, inferred", lower(fastsr(), LR), 62.25, stack="2021"),
        Measurement("PRPSR, inferred", lower(prpsr(), LR), 76.61, stack="2021"),
        Measurement("XLSR, later", xlsr, 36.20, "XLSR", stack="later"),
        Measurement("XLSR, later, compiled ahead", xlsr, 31.38, "XLSR", stack="later"),
        Measurement("64 conv5x5, later", _convs(64, 5, 132, 128), 119.34, stack="later"),
        Measurement("MobileNetV2, later", mobilenet_v2(), 1.98, stack="later"),
        Measurement("PureConvSR, later", pureconvsr(), 15.1, stack="later"),
    )


def pureconvsr() -> tuple[LoweredOperator, ...]:
    """Returns the operators of PureConvSR: plain convolutions, and uint8 input and output."""
    net = GraphBuilder()
    features = net.input
    for width in (32, 32, 32, 32, 27):
        features = net.conv(features, width, relu=True)
    net.add_node(DepthToSpace(block=3), net.conv(features, 27, kernel=1, relu=True))
    return with_uint8_ends(lower(net.graph, LR))


def mobilenet_v2() -> tuple[LoweredOperator, ...]:
    """Returns the operators of MobileNetV2 at 224x224 (Sandler et al., CVPR 2018, table 2)."""
    operators: list[LoweredOperator] = []

    def add_operator(
        kind: str, inputs: tuple[Tensor, ...], shape: tuple[int, int, int], **figures: int
    ) -> Tensor:
        out = Tensor(f"{kind.lower()}_{len(operators)}", shape)
        operators.append(LoweredOperator(kind, out.name, inputs, (out,), **figures))
        return out

    def conv(source: Tensor, channels: int, window: int = 1, stride: int = 1) -> Tensor:
        height, width, inner = source.shape
        shape, weights = (height // stride, width // stride, channels), window**2 * inner * channels
        return add_operator(
            "CONV_2D", (source,), shape, macs=shape[0] * shape[1] * weights, window=window,
            stride=stride, weight_bytes=weights + channels,
        )  # fmt: skip

    def depthwise(source: Tensor, stride: int) -> Tensor:
        height, width, channels = source.shape
        shape = (height // stride, width // stride, channels)
        return add_operator(
            "DEPTHWISE_CONV_2D", (source,), shape, macs=9 * math.prod(shape), window=3,
            stride=stride, weight_bytes=10 * channels,
        )  # fmt: skip

    features = conv(depthwise(conv(Tensor("input", (224, 224, 3)), 32, 3, 2), 1), 16)
    for factor, channels, count, first_stride in MOBILENET_V2:
        for stride in [first_stride] + [1] * (count - 1):
            wide = conv(features, factor * features.shape[2])
            narrow = conv(depthwise(wide, stride), channels)
            has_residual = narrow.shape == features.shape
            features = (
                add_operator("ADD", (features, narrow), narrow.shape) if has_residual else narrow
            )
    pooled = add_operator("MEAN", (conv(features, 1280),), (1, 1, 1280))
    classes = add_operator(
        "FULLY_CONNECTED", (pooled,), (1, 1, 1001), macs=1280 * 1001, weight_bytes=1281 * 1001
    )
    add_operator("SOFTMAX", (classes,), (1, 1, 1001))
    return tuple(operators)


def tinysrnet() -> Graph:
    """Returns TinySRNet; its width is not published, but 32 channels give its file's 109 KB."""
    net = GraphBuilder()
    image = net.add_node(SpaceToDepth(block=2), net.input)
    features = _residual_blocks(net, net.conv(image, 32, relu=True), 32)
    return net.image(net.add(net.conv(features, 108), net.conv(image, 108)), 6)


def fastsr() -> Graph:
    """Returns FastSR; its width is not published, but 16 channels give its file's 30 KB."""
    net = GraphBuilder()
    features = _residual_blocks(net, net.conv(net.input, 16, relu=True), 16)
    pixels = net.add_node(DepthToSpace(block=3), net.conv(features, 27))
    net.add_node(Clip(), net.add(pixels, net.add_node(Resize(factor=3), net.input)))
    return net.graph


def prpsr() -> Graph:
    """Returns PRPSR, which clips by an operator of its own.

    Its width is not published, but 36 channels give its file's 82 KB.
    """
    net = GraphBuilder()
    features = net.conv(net.input, 36, kernel=5, relu=True)
    for _ in range(5):
        features = net.conv(features, 36, relu=True)
    return net.image(net.conv(features, 27), 3, ClipForm.OPERATOR)


def _residual_blocks(net: GraphBuilder, features: str, width: int) -> str:
    for _ in range(3):
        inner = net.conv(net.conv(features, width, relu=True), width)
        features = net.add(features, inner)
    return features


def _tensor(name: str, channels: int) -> Tensor:
    return Tensor(name, (LR.height, LR.width, channels))


def _add(channels: int) -> LoweredOperator:
    a, b, out = (_tensor(name, channels) for name in ("a", "b", "add"))
    return LoweredOperator("ADD", "add", (a, b), (out,))


def _anchor() -> tuple[LoweredOperator, ...]:
    image, anchor = _tensor("input", 3), _tensor("concat", 27)
    inputs = (_tensor("features", 27), anchor)
    return (
        LoweredOperator("CONCATENATION", "concat", (image,) * 9, (anchor,)),
        LoweredOperator("ADD", "add", inputs, (_tensor("add", 27),)),
    )


def _resize() -> LoweredOperator:
    large = Tensor("resize", (3 * LR.height, 3 * LR.width, 3))
    return LoweredOperator("RESIZE_NEAREST_NEIGHBOR", "resize", (_tensor("input", 3),), (large,))


def _convs(count: int, window: int, channels: int, side: int) -> tuple[LoweredOperator, ...]:
    tensors = [Tensor(f"conv_{index}", (side, side, channels)) for index in range(count + 1)]
    weights = window**2 * channels**2
    return tuple(
        LoweredOperator(
            "CONV_2D", out.name, (source,), (out,), macs=side**2 * weights, window=window,
            weight_bytes=weights + channels,
        )
        for source, out in itertools.pairwise(tensors)
    )  # fmt: skip
