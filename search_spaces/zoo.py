"""Networks of the Mobile AI 2021 report, each exactly as its authors published it.

Source: Ignatov et al., "Real-Time Quantized Image Super-Resolution on Mobile NPUs, Mobile AI 2021
Challenge: Report", CVPR Workshops 2021, arXiv:2105.07825, and the papers named below.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .builder import GraphBuilder
from .errors import InputError
from .graph import Graph


@dataclass(frozen=True)
class ZooNetwork:
    """A published network as a function of the scale, and what was published of it."""

    name: str
    source: str
    #: figures of the x3 network as published, or "" where there are none
    published: str
    build: Callable[[int], Graph]


def abpn(scale: int) -> Graph:
    """Seven 3x3 convs, and the input, repeated, added before depth_to_space: the anchor."""
    net = GraphBuilder()
    anchor = net.concat(*[net.input] * scale**2)
    features = net.conv(net.input, 28, relu=True)
    for _ in range(4):
        features = net.conv(features, 28, relu=True)
    features = net.conv(features, 3 * scale**2, relu=True)
    features = net.conv(features, 3 * scale**2)
    return net.image(net.add(features, anchor), scale)


def xlsr(scale: int) -> Graph:
    """Extremely light-weight SR: four parallel stems, three grouped blocks, a concatenated skip."""
    net = GraphBuilder()
    stems = [net.conv(net.input, 8, relu=True) for _ in range(4)]
    features = net.conv(net.concat(*stems), 32, kernel=1)
    for _ in range(3):
        features = net.conv(features, 32, groups=4, relu=True)
        features = net.conv(features, 32, kernel=1)
    skip = net.conv(net.input, 16)
    features = net.conv(net.concat(features, skip), 32, kernel=1, relu=True)
    return net.image(net.conv(features, 3 * scale**2), scale)


ZOO: tuple[ZooNetwork, ...] = (
    ZooNetwork(
        "ABPN",
        "Du et al., Anchor-based Plain Net for Mobile Image Super-Resolution, arXiv:2105.09750",
        "42.5 K parameters; INT8 29.87 dB, 36.89 ms on the VS680 (report, table 1)",
        abpn,
    ),
    ZooNetwork(
        "XLSR",
        "Ayazoglu, Extremely Lightweight Quantization Robust Real-Time Single-Image "
        "Super Resolution for Mobile Devices, arXiv:2105.10288",
        "22 K parameters; INT8 29.58 dB, 44.85 ms on the VS680 (report, table 1)",
        xlsr,
    ),
)


def find(name: str) -> ZooNetwork:
    """The network of that name, in any case; InputError lists the known ones."""
    for network in ZOO:
        if network.name.lower() == name.lower():
            return network
    known = ", ".join(network.name for network in ZOO)
    raise InputError(f"unknown zoo network {name!r}; known: {known}")
