"""Published times as measurement tables: what ran, written down operator by operator.

    python studies/latency_error/published.py

Rewrites ``measurements.csv`` of the devices whose times are published. Nothing here was measured by
this project; each device's card names the sources.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

from latency_models.sources.regression import Measurement, write_measurements
from search_spaces import (
    Clip,
    ClipForm,
    DepthToSpace,
    Graph,
    GraphBuilder,
    InputSpec,
    LoweredOperator,
    PRelu,
    Resize,
    Slice,
    SpaceToDepth,
    Tanh,
    Tensor,
    TransposedConv,
    infer,
    lower,
    zoo,
)

DEVICES = Path(__file__).parents[2] / "latency_models" / "devices"
LR = InputSpec(360, 640)


@dataclass(frozen=True)
class Published:
    """A network of the ETDS paper's table: parameters in thousands, and ms for x2, x3 and x4."""

    name: str
    #: middle convs and channels
    middle: int
    width: int
    thousands: tuple[float, float, float]
    nnapi_ms: tuple[float | None, ...]
    neuron_ms: tuple[float | None, ...]

    @property
    def family(self) -> str:
        """ABPN of ABPN-M4C28."""
        return self.name.partition("-")[0]


#: Chao et al., Equivalent Transformation and Dual Stream Network Construction for Mobile Image
#: Super-Resolution, CVPR 2023: INT8, LR input 360x640, MediaTek Dimensity 8100.
DIMENSITY_8100 = (
    Published("ESPCN", 0, 64, (26.80, 31.13, 37.20), (6.30, 9.79, 11.8), (4.83, 8.38, 8.14)),
    Published("FSRCNN", 4, 12, (24.68, 24.68, 24.68), (10.4, 13.7, None), (5.89, 7.32, None)),
    Published("ECBSR-M4C16", 4, 16, (11.55, 13.72, 16.77), (6.15, 16.2, 23.9), (4.57, 11.0, 13.7)),
    Published("ECBSR-M4C32", 4, 32, (41.52, 45.85, 51.92), (9.70, 19.7, 28.0), (6.64, 13.1, 16.3)),
    Published("ECBSR-M6C40", 6, 40, (92.37, 97.79, 105.37), (18.1, 28.1, 36.8), (10.9, 17.4, 20.7)),
    Published("ABPN-M4C28", 4, 28, (33.46, 42.54, 62.05), (10.0, 20.5, 30.3), (6.66, 13.8, 17.4)),
    Published("ABPN-M6C40", 6, 40, (93.40, 104.10, 125.87), (18.7, 29.2, 39.1), (11.2, 18.2, 22.4)),
    Published("ETDS-T", 5, 16, (13.94, 16.92, 21.36), (4.85, 8.64, 10.9), (3.81, 5.60, 6.94)),
    Published("ETDS-S", 4, 32, (41.51, 46.79, 54.11), (8.06, 12.2, 14.6), (5.77, 7.73, 9.02)),
    Published("ETDS-M", 6, 32, (60.01, 65.29, 72.61), (10.2, 14.4, 16.6), (6.73, 8.76, 9.98)),
    Published("ETDS-L", 7, 48, (152.18, 159.77, 169.97), (20.6, 25.4, 27.6), (12.1, 14.2, 15.3)),
)  # fmt: skip


def dimensity(neuron: bool) -> tuple[Measurement, ...]:
    """The table of either runtime; ValueError if a graph has other parameters than published."""
    rows = []
    for network in DIMENSITY_8100:
        times = network.neuron_ms if neuron else network.nnapi_ms
        for scale, thousands, ms in zip((2, 3, 4), network.thousands, times, strict=True):
            graph = deployed(network, scale)
            parameters = infer(graph, LR).parameters
            if abs(parameters / 1e3 - thousands) > 0.0051:
                raise ValueError(f"{network.name} x{scale}: {parameters} parameters, {thousands} K")
            if ms is not None:
                operators = lower(graph, LR)
                if network.family == "ESPCN":
                    operators += (_pointwise("LOGISTIC", operators[-1].outputs[0]),)
                rows.append(
                    Measurement(
                        f"{network.name} x{scale}", operators, ms, network.name, network.family
                    )
                )
    return tuple(rows)


def deployed(network: Published, scale: int) -> Graph:
    """What ran; ESPCN without the sigmoid behind it, on which no trained graph may end."""
    net, pixels = GraphBuilder(), 3 * scale**2
    middle, width = network.middle, network.width
    match network.family:
        case "ESPCN":
            features = net.add_node(Tanh(), net.conv(net.input, width, kernel=5))
            features = net.add_node(Tanh(), net.conv(features, 32))
            net.add_node(DepthToSpace(block=scale), net.conv(features, pixels))
            return net.graph
        case "FSRCNN":
            features = net.input
            layers = [(5, 56), (1, width), *[(3, width)] * middle, (1, 56)]
            for kernel, filters in layers:
                features = net.add_node(PRelu(), net.conv(features, filters, kernel=kernel))
            net.add_node(TransposedConv(filters=3, kernel=9, stride=scale), features)
            return net.graph
        case "ETDS":
            # Published parameters agree with 28 channels for x3: a multiple of four.
            wide = -(-pixels // 4) * 4
            features = net.input
            for filters in [width] * (middle + 1) + [wide]:
                features = net.conv(features, filters, relu=True)
            features = net.conv(features, wide, kernel=1, relu=True)
            if wide > pixels:
                features = net.add_node(Slice(begin=0, size=pixels), features)
            net.add_node(DepthToSpace(block=scale), features)
            return net.graph
    anchor = net.concat(*[net.input] * scale**2)
    features = net.input
    for _ in range(middle + 1):
        if network.family == "ECBSR":
            features = net.add_node(PRelu(), net.conv(features, width))
        else:
            features = net.conv(features, width, relu=True)
    if network.family == "ABPN":
        features = net.conv(features, pixels, relu=True)
    features = net.conv(features, pixels)
    return net.image(net.add(features, anchor), scale, ClipForm.OPERATOR)


def vs680() -> tuple[Measurement, ...]:
    """Operators and networks on the VS680; XLSR's and ABPN's graphs are published, three inferred.

    Sources: Du et al., arXiv:2105.09750 (operators); the Mobile AI 2021 report, arXiv:2105.07825
    (networks); Synaptics' benchmark page (the later software).
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
    )


def tinysrnet() -> Graph:
    """Widths are not published; 32 channels give the 109 KB of its file."""
    net = GraphBuilder()
    image = net.add_node(SpaceToDepth(block=2), net.input)
    features = _residual_blocks(net, net.conv(image, 32, relu=True), 32)
    return net.image(net.add(net.conv(features, 108), net.conv(image, 108)), 6)


def fastsr() -> Graph:
    """Widths are not published; 16 channels give the 30 KB of its file."""
    net = GraphBuilder()
    features = _residual_blocks(net, net.conv(net.input, 16, relu=True), 16)
    pixels = net.add_node(DepthToSpace(block=3), net.conv(features, 27))
    net.add_node(Clip(), net.add(pixels, net.add_node(Resize(factor=3), net.input)))
    return net.graph


def prpsr() -> Graph:
    """Widths are not published; 36 channels give the 82 KB of its file. Its clip is an operator."""
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


def _pointwise(kind: str, source: Tensor) -> LoweredOperator:
    name = kind.lower()
    return LoweredOperator(kind, name, (source,), (Tensor(name, source.shape),))


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


TABLES = {
    "dimensity8100-nnapi": lambda: dimensity(neuron=False),
    "dimensity8100-neuron": lambda: dimensity(neuron=True),
    "vs680": vs680,
}


if __name__ == "__main__":
    for device, rows in TABLES.items():
        (DEVICES / device / "measurements.csv").write_text(write_measurements(rows()))
