"""A device whose times are known by a rule, and networks to measure on it."""

from __future__ import annotations

from latency_models.sources.regression import (
    ChannelPadding,
    CostStructure,
    Engine,
    Measurement,
    Quantity,
    Term,
)
from search_spaces import Graph, GraphBuilder, InputSpec, LoweredOperator, lower

SPEC = InputSpec(90, 160)
CONV = frozenset({"CONV_2D"})
OTHER = frozenset({"DEPTH_TO_SPACE", "CONCATENATION", "ADD"})


def plain(width: int, depth: int, *, anchor: bool = False) -> Graph:
    """A stem, ``depth`` convs of ``width`` and the pixels, with or without the anchor."""
    net = GraphBuilder()
    image = net.concat(*[net.input] * 4) if anchor else ""
    features = net.input
    for _ in range(depth + 1):
        features = net.conv(features, width, relu=True)
    features = net.conv(features, 12)
    return net.image(net.add(features, image) if anchor else features, 2)


def structure(**changes: object) -> CostStructure:
    """Two engines; arithmetic, and what everything reads and writes."""
    values: dict[str, object] = {
        "engines": (Engine("mac", CONV), Engine("vector", OTHER)),
        "terms": (
            Term(Quantity.MACS, CONV),
            Term(Quantity.TRAFFIC, CONV),
            Term(Quantity.TRAFFIC, OTHER),
        ),
    }
    return CostStructure(**(values | changes))  # type: ignore[arg-type]


def operator_ms(operator: LoweredOperator, multiple: int = 1, speed: float = 1.0) -> float:
    """2 ms a G MAC, channels padded to ``multiple``; 0.5 ms a MB through convs, 1.5 elsewhere."""
    moved = sum(tensor.bytes for tensor in operator.inputs + operator.outputs) / 1e6
    if not operator.macs:
        return speed * 1.5 * moved
    (height, width, outer), inner = operator.outputs[0].shape, operator.inputs[0].shape[2]
    padded = -(-inner // multiple) * -(-outer // multiple) * multiple**2
    return speed * (2e-9 * height * width * operator.window**2 * padded + 0.5 * moved)


def measured(
    name: str, graph: Graph, *, multiple: int = 1, speed: float = 1.0, operators: bool = False
) -> Measurement:
    """The row of ``graph`` on the device."""
    lowered = lower(graph, SPEC)
    times = tuple(operator_ms(operator, multiple, speed) for operator in lowered)
    return Measurement(name, lowered, sum(times), operators_ms=times if operators else ())


def table(
    *, multiple: int = 1, speed: float = 1.0, operators: bool = False
) -> tuple[Measurement, ...]:
    """Networks of several widths and depths, with and without the anchor."""
    return tuple(
        measured(
            f"w{width}d{depth}{'a' * anchor}", plain(width, depth, anchor=anchor),
            multiple=multiple, speed=speed, operators=operators,
        )
        for width in (4, 12, 20, 28, 36)
        for depth in (1, 3)
        for anchor in (False, True)
    )  # fmt: skip


PADDINGS = (ChannelPadding(1, 1), ChannelPadding(8, 1), ChannelPadding(16, 1))
