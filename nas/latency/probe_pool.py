"""The pool of networks that a probe is chosen from: small ones, or whole super-resolution networks.

Small networks repeat one operator or a short pattern, with and without the conditions of fusion:
an activation after a convolution or after a sum; a sum of a convolution's result that only it reads
or that others read as well; branches in parallel or in sequence.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial

from search_spaces import (
    Add,
    Clip,
    ClipForm,
    Conv,
    DepthToSpace,
    DepthwiseConv,
    Graph,
    GraphBuilder,
    GraphError,
    InputSpec,
    Interpolation,
    LeakyRelu,
    LoweredOperator,
    Multiply,
    Operator,
    Pool,
    PRelu,
    Reduction,
    Relu,
    Resize,
    Sigmoid,
    Slice,
    SpaceToDepth,
    Split,
    Subtract,
    Tanh,
    TransposedConv,
    lower,
)
from search_spaces.spaces.enumeration import RandomTrial
from search_spaces.spaces.space import Space
from search_spaces.zoo import ZOO

#: Channels: fewer than a block of 16, multiples of it, and others.
_WIDTHS = (8, 16, 28, 32, 44, 64)
_NARROW, _WIDE = 16, 48
#: Repetitions of a pattern, so that its time is visible beside the fixed cost of an inference.
_REPEATED = 4
#: Sides of the smaller images are 1/4 of the device's, in multiples of 4, for strides.
_SMALLER, _DIVISOR = 4, 4

#: Networks drawn from a space, and distance of seeds.
_DRAWN, _PER_SEED = 96, 1_000_003

#: Adds nodes after a tensor; the name of the last one.
_Layers = Callable[[GraphBuilder, str], str]
_Maker = Callable[[], Operator]


@dataclass(frozen=True)
class Probe:
    """A network with the image size at which it is measured."""

    name: str
    graph: Graph
    input: InputSpec

    @cached_property
    def operators(self) -> tuple[LoweredOperator, ...]:
        """Its lowered operators."""
        return lower(self.graph, self.input)

    @property
    def kinds(self) -> frozenset[str]:
        """Kinds of its operators."""
        return frozenset(operator.kind for operator in self.operators)


def small_probes(input: InputSpec, scale: int) -> tuple[Probe, ...]:
    """Small networks at ``input`` and at a quarter of its sides, if their blocks divide it."""
    height, width = (
        max(1, side // _SMALLER // _DIVISOR) * _DIVISOR for side in (input.height, input.width)
    )
    probes: dict[tuple[str, InputSpec], Probe] = {}
    for name, graph in _graphs(scale):
        for size in (input, InputSpec(height, width)):
            probe = Probe(name, graph, size)
            if size.height % graph.multiple == size.width % graph.multiple == 0:
                probes.setdefault((graph.hash, size), probe)
    return tuple(probes.values())


def whole_networks(space: Space, input: InputSpec, scale: int, seed: int) -> tuple[Probe, ...]:
    """The networks of the zoo, and some drawn from ``space``."""
    graphs: dict[str, tuple[str, Graph]] = {}
    for network in ZOO:
        graph = network.build(scale).deployed
        graphs.setdefault(graph.hash, (network.name, graph))
    for number in range(_DRAWN):
        trial = RandomTrial(random.Random(seed * _PER_SEED + number))
        with contextlib.suppress(GraphError):  # a combination that the space refuses
            graph = space.draw(trial, scale).deployed
            graphs.setdefault(graph.hash, (f"{space.name} {graph.hash}", graph))
    return tuple(
        Probe(name, graph, input)
        for name, graph in graphs.values()
        if input.height % graph.multiple == input.width % graph.multiple == 0
    )


def _graphs(scale: int) -> Iterator[tuple[str, Graph]]:
    for part in (_convolutions, _activations, _sums, _channels, _branches):
        for name, layers in part():
            net = GraphBuilder()
            net.conv(layers(net, net.input), 3, kernel=1)
            yield name, net.graph
    yield from _resolutions(scale)


def _convolutions() -> Iterator[tuple[str, _Layers]]:
    for width in _WIDTHS:
        for kernel in (1, 3, 5):
            yield (
                f"conv {kernel}x{kernel}, {width} channels",
                _row(width, partial(Conv, kernel=kernel, filters=width)),
            )
        yield f"depthwise 3x3, {width} channels", _row(width, partial(DepthwiseConv, kernel=3))
        grouped = partial(Conv, kernel=3, filters=width, groups=4)
        yield f"grouped 3x3, {width} channels", _row(width, grouped)
        there, back = (partial(Conv, kernel=3, filters=filters) for filters in (width, 12))
        yield f"conv 3x3 between 12 and {width} channels", _row(12, there, back)


def _activations() -> Iterator[tuple[str, _Layers]]:
    behind: dict[str, _Maker] = {
        "relu": Relu, "prelu": PRelu, "leaky relu": LeakyRelu, "tanh": Tanh, "sigmoid": Sigmoid,
        "clip": partial(Clip, form=ClipForm.OPERATOR),
        "pooling": partial(Pool, reduction=Reduction.AVERAGE),
    }  # fmt: skip
    for width in (_NARROW, _WIDE):
        conv = partial(Conv, kernel=3, filters=width)
        for name, activation in behind.items():
            yield f"{name} behind conv, {width} channels", _row(width, conv, activation)
            yield f"{name} of sums, {width} channels", _summed(width, Add, activation)


def _sums() -> Iterator[tuple[str, _Layers]]:
    for width in (_NARROW, _WIDE):
        for join in (Add, Subtract):
            yield f"{join.kind} behind conv, {width} channels", _skipping(width, join)
            yield f"{join.kind} of features, {width} channels", _summed(width, join)
        yield f"add and relu behind conv, {width} channels", _skipping(width, Add, Relu)
        yield f"attention, {width} channels", _attention(width)


def _channels() -> Iterator[tuple[str, _Layers]]:
    for width in (_NARROW, _WIDE):
        for parts in (2, 4):
            yield f"{parts} parts of {width} channels", _split(width, parts)
            yield f"{parts} times {width} channels joined", _joined(width, parts)
        yield f"slices of {width} channels", _sliced(width)
        yield f"image joined to {width} channels", _beside_image(width)


def _branches() -> Iterator[tuple[str, _Layers]]:
    for width in (_NARROW, _WIDE):
        for kernel in (1, 3):
            of_it = f"{width} channels, {kernel}x{kernel}"
            conv = partial(Conv, kernel=kernel, filters=width)
            yield f"branches side by side, {of_it}", _side_by_side(width, conv)
            yield f"branches in a row, {of_it}", _in_a_row(width, conv)


def _resolutions(scale: int) -> Iterator[tuple[str, Graph]]:
    """Networks with operators that change the image's size."""
    pixels = 3 * scale**2
    for clip in ClipForm:
        net = GraphBuilder()
        yield f"depth to space, clip: {clip}", net.image(net.conv(net.input, pixels), scale, clip)
        net = GraphBuilder()
        repeated = net.concat(*[net.input] * scale**2)
        yield f"image repeated, clip: {clip}", net.image(repeated, scale, clip)
        net = GraphBuilder()
        repeated = net.concat(*[net.input] * scale**2)
        added = net.add(net.conv(net.input, pixels), repeated)
        yield f"image added, clip: {clip}", net.image(added, scale, clip)
    for interpolation in Interpolation:
        net = GraphBuilder()
        net.add_node(Resize(factor=scale, interpolation=interpolation), net.conv(net.input, 3))
        yield f"{interpolation} resize", net.graph
    for width in (_NARROW, _WIDE):
        for kernel in (scale, 3 * scale):
            net = GraphBuilder()
            transposed = TransposedConv(filters=3, kernel=kernel, stride=scale)
            net.add_node(transposed, net.conv(net.input, width))
            yield f"transposed conv {kernel}x{kernel}, {width} channels", net.graph
        for shrink in (SpaceToDepth(block=2), Conv(kernel=3, filters=12, stride=2)):
            net = GraphBuilder()
            features = net.conv(net.add_node(shrink, net.input), width)
            net.add_node(DepthToSpace(block=2), net.conv(features, 12))
            yield f"{shrink.kind} to half the size, {width} channels", net.graph


def _row(width: int, *makers: _Maker) -> _Layers:
    """A first convolution, then ``makers`` in sequence, repeated."""

    def layers(net: GraphBuilder, source: str) -> str:
        return _appended(net, net.conv(source, width), *makers * _REPEATED)

    return layers


def _appended(net: GraphBuilder, features: str, *makers: _Maker) -> str:
    for make in makers:
        features = net.add_node(make(), features)
    return features


def _summed(width: int, join: _Maker, *then: _Maker) -> _Layers:
    """Sums of convolutions' results that other operators read as well: none can be fused."""

    def layers(net: GraphBuilder, source: str) -> str:
        first, features = net.conv(source, width), net.conv(source, width, relu=True)
        for _ in range(_REPEATED):
            features = _appended(net, net.add_node(join(), features, first), *then)
        return net.add(features, first)

    return layers


def _skipping(width: int, join: _Maker, *then: _Maker) -> _Layers:
    """A join of each convolution's result and its input, which can be fused."""

    def layers(net: GraphBuilder, source: str) -> str:
        features = net.conv(source, width)
        for _ in range(_REPEATED):
            both = net.add_node(join(), net.conv(features, width), features)
            features = _appended(net, both, *then)
        return features

    return layers


def _attention(width: int) -> _Layers:
    """Attention: features times the sigmoid of a 1x1 convolution of them."""

    def layers(net: GraphBuilder, source: str) -> str:
        features = net.conv(source, width)
        for _ in range(_REPEATED):
            weights = net.add_node(Sigmoid(), net.conv(features, width, kernel=1))
            features = net.conv(net.add_node(Multiply(), features, weights), width, kernel=1)
        return features

    return layers


def _split(width: int, parts: int) -> _Layers:
    """Splits into parts, of which one is convolved, and concatenates them again."""

    def layers(net: GraphBuilder, source: str) -> str:
        features = net.conv(source, width)
        for _ in range(_REPEATED):
            first, *others = (
                net.add_node(Split(parts=parts, index=index), features) for index in range(parts)
            )
            features = net.concat(net.conv(first, width // parts), *others)
        return features

    return layers


def _joined(width: int, parts: int) -> _Layers:
    """Concatenates the results of a sequence of convolutions."""

    def layers(net: GraphBuilder, source: str) -> str:
        results = [net.conv(source, width)]
        for _ in range(parts - 1):
            results.append(net.conv(results[-1], width))
        return net.concat(*results)

    return layers


def _beside_image(width: int) -> _Layers:
    """Concatenates features and the image, which is quantized to their scale."""

    def layers(net: GraphBuilder, source: str) -> str:
        return net.concat(net.conv(source, width), source)

    return layers


def _sliced(width: int) -> _Layers:
    """Slices half of the channels and restores them by a 1x1 convolution, repeated."""

    def layers(net: GraphBuilder, source: str) -> str:
        features = net.conv(source, width)
        for _ in range(_REPEATED):
            half = net.add_node(Slice(begin=0, size=width // 2), features)
            features = net.conv(half, width, kernel=1)
        return features

    return layers


def _side_by_side(width: int, conv: _Maker) -> _Layers:
    """Two parallel sequences of convolutions."""

    def layers(net: GraphBuilder, source: str) -> str:
        features = net.conv(source, width)
        return net.add(*(_appended(net, features, *[conv] * _REPEATED) for _ in range(2)))

    return layers


def _in_a_row(width: int, conv: _Maker) -> _Layers:
    """As many convolutions as ``_side_by_side``, in one sequence."""

    def layers(net: GraphBuilder, source: str) -> str:
        features = net.conv(source, width)
        return net.add(_appended(net, features, *[conv] * 2 * _REPEATED), features)

    return layers
