"""Converts published times to measurement tables that list the operators of each network.

    python -m studies.latency_error.published

Rewrites ``measurements.csv`` of the devices whose times are published. This project measured none
of them; each device's card names the sources.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from latency_models.device import load_device
from latency_models.sources.regression import Measurement, write_measurements
from latency_models.sources.regression.settings import TABLE, RegressionSettings
from search_spaces import (
    Clip,
    ClipForm,
    DepthToSpace,
    Graph,
    GraphBuilder,
    PRelu,
    Relu,
    Slice,
    Tanh,
    TransposedConv,
    infer,
    lower,
)

from .bare_operators import LR, pointwise, with_uint8_ends
from .vs680_facts import vs680

DEVICES = Path(__file__).parents[2] / "latency_models" / "devices"


@dataclass(frozen=True)
class Published:
    """A network of the ETDS paper's table: its parameters, and its times at x2, x3 and x4."""

    name: str
    #: Number of middle convolutions, and their channels.
    middle: int
    width: int
    #: Parameters in thousands.
    thousands: tuple[float | None, ...]
    nnapi_ms: tuple[float | None, ...]
    neuron_ms: tuple[float | None, ...]

    @property
    def family(self) -> str:
        """The family: ABPN for ABPN-M4C28, ETDS for ETDS-T."""
        return re.sub(r"-(M\d+C\d+|[TSML])$", "", self.name)


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


#: Networks of the same paper whose convolutions carry the image residual, and ETDS before its two
#: branches are merged.
FOLDED = (
    Published(
        "ECBSR-folded-M4C16", 4, 16, (17.47, 21.02, 26.18),
        (5.51, 9.35, 11.7), (3.31, 6.14, 7.79),
    ),
    Published(
        "ECBSR-folded-M4C32", 4, 32, (52.04, 57.90, 65.94),
        (8.67, 13.1, 15.7), (5.54, 8.34, 10.3),
    ),
    Published(
        "ECBSR-folded-M6C40", 6, 40, (111.27, 118.28, 127.76),
        (17.0, 21.5, 23.5), (9.96, 12.9, 14.5),
    ),
    Published(
        "ABPN-folded-M4C28", 4, 28, (44.41, 54.96, 77.78),
        (8.6, 13.7, 17.8), (5.27, 8.57, 11.4),
    ),
    Published(
        "ABPN-folded-M6C40", 6, 40, (114.29, 126.35, 151.55),
        (17.2, 22.4, 26.6), (9.89, 13.5, 16.1),
    ),
    Published(
        "ETDS-two-branch-M5C16", 5, 16, (None, 14.30, None),
        (None, 19.6, None), (None, 14.2, None),
    ),
    Published(
        "ETDS-two-branch-M4C32", 4, 32, (None, 42.70, None),
        (None, 22.8, None), (None, 16.6, None),
    ),
)  # fmt: skip


def dimensity(neuron: bool) -> tuple[Measurement, ...]:
    """Returns the table of the runtime Neuron or NNAPI.

    Raises ValueError if a graph has not as many parameters as published.
    """
    rows = []
    for network in DIMENSITY_8100 + FOLDED:
        times = network.neuron_ms if neuron else network.nnapi_ms
        for scale, thousands, ms in zip((2, 3, 4), network.thousands, times, strict=True):
            if thousands is None:
                continue
            graph = deployed(network, scale)
            parameters = infer(graph, LR).parameters
            if abs(parameters / 1e3 - thousands) > 0.0051:
                raise ValueError(f"{network.name} x{scale}: {parameters} parameters, {thousands} K")
            if ms is not None:
                operators = lower(graph, LR)
                if network.family == "ESPCN":
                    operators += (pointwise("LOGISTIC", operators[-1].outputs[0]),)
                if network.family == "ETDS-two-branch":
                    operators = with_uint8_ends(operators)
                rows.append(
                    Measurement(
                        f"{network.name} x{scale}", operators, ms, network.name, network.family
                    )
                )
    return tuple(rows)


def deployed(network: Published, scale: int) -> Graph:
    """Returns the graph that was run, but ESPCN without its sigmoid: no graph may end on one."""
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
            padded_pixels = -(-pixels // 4) * 4
            features = net.input
            for filters in [width] * (middle + 1) + [padded_pixels]:
                features = net.conv(features, filters, relu=True)
            features = net.conv(features, padded_pixels, kernel=1, relu=True)
            if padded_pixels > pixels:
                features = net.add_node(Slice(begin=0, size=pixels), features)
            net.add_node(DepthToSpace(block=scale), features)
            return net.graph
        case "ECBSR-folded" | "ABPN-folded":
            return _folded(network, scale)
        case "ETDS-two-branch":
            return _two_branches(network, scale)
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


def _folded(network: Published, scale: int) -> Graph:
    """Returns a graph that carries the image in four more channels, and clips in one more conv."""
    net, pixels = GraphBuilder(), 3 * scale**2
    features, width = net.input, network.width + 4
    padded_pixels = -(-pixels // 4) * 4
    for _ in range(network.middle + 1):
        if network.family == "ECBSR-folded":
            features = net.add_node(PRelu(), net.conv(features, width))
        else:
            features = net.conv(features, width, relu=True)
    if network.family == "ABPN-folded":
        features = net.conv(features, pixels + (3 if scale == 3 else 4), relu=True)
    features = net.conv(features, padded_pixels, relu=True)
    features = net.conv(features, padded_pixels, kernel=1, relu=True)
    if padded_pixels > pixels:
        features = net.add_node(Slice(begin=0, size=pixels), features)
    net.add_node(DepthToSpace(block=scale), features)
    return net.graph


def _two_branches(network: Published, scale: int) -> Graph:
    """Returns ETDS: a branch of features, and one of three image channels added by each layer."""
    net, pixels, width = GraphBuilder(), 3 * scale**2, network.width - 3
    features, image = net.conv(net.input, width, relu=True), net.conv(net.input, 3, relu=True)
    for _ in range(network.middle):
        both = net.add(net.conv(features, width), net.conv(image, width))
        features, image = net.add_node(Relu(), both), net.conv(image, 3, relu=True)
    images = [
        net.add_node(DepthToSpace(block=scale), net.conv(branch, pixels))
        for branch in (features, image)
    ]
    net.add_node(Clip(form=ClipForm.OPERATOR), net.add(*images))
    return net.graph


def write_interval(folder: Path) -> None:
    """Writes the interval to the end of device.toml, and keeps the rest of the file.

    It is stored because the cross-validation that yields it takes seconds.
    """
    file = folder / "device.toml"
    text = file.read_text().partition("\n[settings.interval]")[0].rstrip()
    file.write_text(f"{text}\n")
    settings = load_device(folder).settings
    assert isinstance(settings, RegressionSettings)
    interval = settings.with_interval(folder).interval
    assert interval is not None
    file.write_text(
        f'{text}\n\n[settings.interval]\nradius = {interval.radius}\nof = "{interval.of}"\n'
    )


TABLES = {
    "dimensity8100-nnapi": lambda: dimensity(neuron=False),
    "dimensity8100-neuron": lambda: dimensity(neuron=True),
    "vs680": vs680,
    "vs680-2021": vs680,
}


if __name__ == "__main__":
    for device, rows in TABLES.items():
        (DEVICES / device / TABLE).write_text(write_measurements(rows()))
        write_interval(DEVICES / device)
