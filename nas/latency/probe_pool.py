"""The pool from which a probe is chosen: small networks, or whole super-resolution networks.

Small networks repeat one operator or a short pattern, with and without the conditions for fusion:
an activation after a convolution or after a sum; a sum that is the only reader of a convolution's
result or one of several; branches in parallel or in sequence.
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

#: Numbers of channels: below a block of 16, multiples of 16, and others.
_WIDTHS = (8, 16, 28, 32, 44, 64)
#: Numbers of channels of patterns that are tried at two widths only.
_NARROW, _WIDE = 16, 48
#: Number of repetitions of a pattern, so that its time exceeds the fixed cost of an inference.
_REPETITIONS = 4
#: Sides of the smaller images: those of the device's input, divided and rounded down to a
#: multiple, so that strides divide them.
_SIZE_DIVISOR, _SIDE_MULTIPLE = 4, 4

#: Number of networks drawn from a space, and stride that keeps random seeds of user seeds apart.
_DRAWN_NETWORKS, _SEED_STRIDE = 96, 1_000_003

#: Adds nodes after a tensor; returns the name of the last one.
_LayerAdder = Callable[[GraphBuilder, str], str]
_OperatorMaker = Callable[[], Operator]


@dataclass(frozen=True)
class Probe:
    """A network, with the image size at which it is measured."""

    name: str
    graph: Graph
    input: InputSpec

    @cached_property
    def operators(self) -> tuple[LoweredOperator, ...]:
        """The lowered operators of the network."""
        return lower(self.graph, self.input)

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of the operators."""
        return frozenset(operator.kind for operator in self.operators)


def small_probes(input: InputSpec, scale: int) -> tuple[Probe, ...]:
    """Returns small networks at ``input`` and at a quarter of its sides.

    A network is left out at sizes that are not multiples of its blocks.
    """
    height, width = (
        max(1, side // _SIZE_DIVISOR // _SIDE_MULTIPLE) * _SIDE_MULTIPLE
        for side in (input.height, input.width)
    )
    probes: dict[tuple[str, InputSpec], Probe] = {}
    for name, graph in _small_graphs(scale):
        for size in (input, InputSpec(height, width)):
            probe = Probe(name, graph, size)
            if size.height % graph.multiple == size.width % graph.multiple == 0:
                probes.setdefault((graph.hash, size), probe)
    return tuple(probes.values())


def whole_networks(space: Space, input: InputSpec, scale: int, seed: int) -> tuple[Probe, ...]:
    """Returns the networks of the zoo, and some drawn from ``space``."""
    graphs: dict[str, tuple[str, Graph]] = {}
    for network in ZOO:
        graph = network.build(scale).deployed
        graphs.setdefault(graph.hash, (network.name, graph))
    for number in range(_DRAWN_NETWORKS):
        trial = RandomTrial(random.Random(seed * _SEED_STRIDE + number))
        with contextlib.suppress(GraphError):  # a combination that the space refuses
            graph = space.draw(trial, scale).deployed
            graphs.setdefault(graph.hash, (f"{space.name} {graph.hash}", graph))
    return tuple(
        Probe(name, graph, input)
        for name, graph in graphs.values()
        if input.height % graph.multiple == input.width % graph.multiple == 0
    )


def _small_graphs(scale: int) -> Iterator[tuple[str, Graph]]:
    for part in (_convolutions, _activations, _sums, _channels, _branches):
        for name, layers in part():
            net = GraphBuilder()
            net.conv(layers(net, net.input), 3, kernel=1)
            yield name, net.graph
    yield from _resolutions(scale)


def _convolutions() -> Iterator[tuple[str, _LayerAdder]]:
    for width in _WIDTHS:
        for kernel in (1, 3, 5):
            yield (
                f"conv {kernel}x{kernel}, {width} channels",
                _sequence(width, partial(Conv, kernel=kernel, filters=width)),
            )
        yield f"depthwise 3x3, {width} channels", _sequence(width, partial(DepthwiseConv, kernel=3))
        grouped = partial(Conv, kernel=3, filters=width, groups=4)
        yield f"grouped 3x3, {width} channels", _sequence(width, grouped)
        widening, narrowing = (partial(Conv, kernel=3, filters=filters) for filters in (width, 12))
        yield f"conv 3x3 between 12 and {width} channels", _sequence(12, widening, narrowing)


def _activations() -> Iterator[tuple[str, _LayerAdder]]:
    makers: dict[str, _OperatorMaker] = {
        "relu": Relu, "prelu": PRelu, "leaky relu": LeakyRelu, "tanh": Tanh, "sigmoid": Sigmoid,
        "clip": partial(Clip, form=ClipForm.OPERATOR),
        "pooling": partial(Pool, reduction=Reduction.AVERAGE),
    }  # fmt: skip
    for width in (_NARROW, _WIDE):
        conv = partial(Conv, kernel=3, filters=width)
        for name, activation in makers.items():
            yield f"{name} behind conv, {width} channels", _sequence(width, conv, activation)
            yield f"{name} of sums, {width} channels", _unfusable_sums(width, Add, activation)


def _sums() -> Iterator[tuple[str, _LayerAdder]]:
    for width in (_NARROW, _WIDE):
        for join in (Add, Subtract):
            yield f"{join.kind} behind conv, {width} channels", _residual_sums(width, join)
            yield f"{join.kind} of features, {width} channels", _unfusable_sums(width, join)
        yield f"add and relu behind conv, {width} channels", _residual_sums(width, Add, Relu)
        yield f"attention, {width} channels", _repeated_attention(width)


def _channels() -> Iterator[tuple[str, _LayerAdder]]:
    for width in (_NARROW, _WIDE):
        for parts in (2, 4):
            yield f"{parts} parts of {width} channels", _repeated_splits(width, parts)
            yield f"{parts} times {width} channels joined", _concatenated_convolutions(width, parts)
        yield f"slices of {width} channels", _repeated_slices(width)
        yield f"image joined to {width} channels", _image_concatenated(width)


def _branches() -> Iterator[tuple[str, _LayerAdder]]:
    for width in (_NARROW, _WIDE):
        for kernel in (1, 3):
            details = f"{width} channels, {kernel}x{kernel}"
            conv = partial(Conv, kernel=kernel, filters=width)
            yield f"branches side by side, {details}", _parallel_branches(width, conv)
            yield f"branches in a row, {details}", _sequential_branches(width, conv)


def _resolutions(scale: int) -> Iterator[tuple[str, Graph]]:
    """Makes networks with operators that change the image's size."""
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


def _sequence(width: int, *makers: _OperatorMaker) -> _LayerAdder:
    """Adds a convolution, then repetitions of the operators of ``makers`` in sequence."""

    def layers(net: GraphBuilder, source: str) -> str:
        return _appended(net, net.conv(source, width), *makers * _REPETITIONS)

    return layers


def _appended(net: GraphBuilder, features: str, *makers: _OperatorMaker) -> str:
    for make in makers:
        features = net.add_node(make(), features)
    return features


def _unfusable_sums(width: int, join: _OperatorMaker, *then: _OperatorMaker) -> _LayerAdder:
    """Adds sums of convolutions' results that other operators read as well, so that none fuses."""

    def layers(net: GraphBuilder, source: str) -> str:
        first, features = net.conv(source, width), net.conv(source, width, relu=True)
        for _ in range(_REPETITIONS):
            features = _appended(net, net.add_node(join(), features, first), *then)
        return net.add(features, first)

    return layers


def _residual_sums(width: int, join: _OperatorMaker, *then: _OperatorMaker) -> _LayerAdder:
    """Adds convolutions, each joined with its input, which can be fused."""

    def layers(net: GraphBuilder, source: str) -> str:
        features = net.conv(source, width)
        for _ in range(_REPETITIONS):
            joined = net.add_node(join(), net.conv(features, width), features)
            features = _appended(net, joined, *then)
        return features

    return layers


def _repeated_attention(width: int) -> _LayerAdder:
    """Adds attention: features times the sigmoid of their 1x1 convolution."""

    def layers(net: GraphBuilder, source: str) -> str:
        features = net.conv(source, width)
        for _ in range(_REPETITIONS):
            weights = net.add_node(Sigmoid(), net.conv(features, width, kernel=1))
            features = net.conv(net.add_node(Multiply(), features, weights), width, kernel=1)
        return features

    return layers


def _repeated_splits(width: int, parts: int) -> _LayerAdder:
    """Adds splits into parts, of which one is convolved and all are concatenated again."""

    def layers(net: GraphBuilder, source: str) -> str:
        features = net.conv(source, width)
        for _ in range(_REPETITIONS):
            first, *others = (
                net.add_node(Split(parts=parts, index=index), features) for index in range(parts)
            )
            features = net.concat(net.conv(first, width // parts), *others)
        return features

    return layers


def _concatenated_convolutions(width: int, parts: int) -> _LayerAdder:
    """Adds a sequence of convolutions and the concatenation of all their results."""

    def layers(net: GraphBuilder, source: str) -> str:
        results = [net.conv(source, width)]
        for _ in range(parts - 1):
            results.append(net.conv(results[-1], width))
        return net.concat(*results)

    return layers


def _image_concatenated(width: int) -> _LayerAdder:
    """Adds a concatenation of features and the image, which is quantized to their scale."""

    def layers(net: GraphBuilder, source: str) -> str:
        return net.concat(net.conv(source, width), source)

    return layers


def _repeated_slices(width: int) -> _LayerAdder:
    """Adds repeated slices of half of the channels, each restored by a 1x1 convolution."""

    def layers(net: GraphBuilder, source: str) -> str:
        features = net.conv(source, width)
        for _ in range(_REPETITIONS):
            half = net.add_node(Slice(begin=0, size=width // 2), features)
            features = net.conv(half, width, kernel=1)
        return features

    return layers


def _parallel_branches(width: int, conv: _OperatorMaker) -> _LayerAdder:
    """Adds two parallel sequences of convolutions and their sum."""

    def layers(net: GraphBuilder, source: str) -> str:
        features = net.conv(source, width)
        return net.add(*(_appended(net, features, *[conv] * _REPETITIONS) for _ in range(2)))

    return layers


def _sequential_branches(width: int, conv: _OperatorMaker) -> _LayerAdder:
    """Adds as many convolutions as ``_parallel_branches``, in one sequence."""

    def layers(net: GraphBuilder, source: str) -> str:
        features = net.conv(source, width)
        return net.add(_appended(net, features, *[conv] * 2 * _REPETITIONS), features)

    return layers
