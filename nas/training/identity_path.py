"""Paths through a graph from its input to its output.

One path carries the input image to the output when the network is initialized; other functions
find whether gradients reach the weights along any path.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from search_spaces import (
    INPUT,
    Activation,
    Add,
    Concat,
    Conv,
    DepthToSpace,
    DepthwiseConv,
    Graph,
    InputSpec,
    Multiply,
    Node,
    Padding,
    Split,
    Tanh,
    TransposedConv,
    infer,
)


@dataclass(frozen=True)
class IdentityPath:
    """The nodes that carry the image, and the convolutions that are initialized specially."""

    #: names of the nodes on the path
    nodes: frozenset[str] = frozenset()
    #: convolutions, on the path or off it, whose outputs are pixels
    pixel_convs: tuple[str, ...] = ()
    #: convolutions on the path that are followed by a tanh and whose outputs are features
    convs_before_tanh: frozenset[str] = frozenset()
    #: convolutions whose result is added to the image and may therefore be initialized to zero
    zero_convs: frozenset[str] = frozenset()
    #: convolutions that are initialized to small values: those with an activation whose result is
    #: added to the image, the ends of other residual branches, and those whose result is
    #: concatenated with the image
    small_convs: frozenset[str] = frozenset()
    #: convolutions that read the image while other convolutions carry it on
    side_convs: frozenset[str] = frozenset()
    #: number of channels of every tensor
    channels: dict[str, int] = field(default_factory=dict)

    @classmethod
    def find(cls, graph: Graph) -> IdentityPath:
        """Returns the path with the fewest convolutions; without nodes if there is none."""
        return _PathSearch(graph).path()

    @property
    def without_image(self) -> IdentityPath:
        """A path without nodes: nothing carries the image, and all pixels are initialized to 0."""
        return IdentityPath(pixel_convs=self.pixel_convs, zero_convs=frozenset(self.pixel_convs))


def has_living_path(graph: Graph, dead: frozenset[str]) -> bool:
    """Returns whether some path to the output has a convolution and no node of ``dead``."""
    reached, convolved = {INPUT}, set[str]()
    for node in graph.nodes:
        sources = reached.intersection(node.inputs)
        if not sources or node.name in dead:
            continue
        reached.add(node.name)
        if _is_conv(node) or convolved.intersection(sources):
            convolved.add(node.name)
    return graph.nodes[-1].name in convolved


class _PathSearch:
    """Finds the path that carries the image, and the convolutions beside it."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._by_name = {node.name: node for node in graph.nodes}
        self._order = {node.name: index for index, node in enumerate(graph.nodes)}
        #: number of convolutions on the shortest path to each tensor
        self._lengths = self._count_convs()
        self._nodes: set[str] = set()
        self._zero_convs: set[str] = set()
        #: tensors whose last convolutions are to be initialized to small values
        self._small_tensors: set[str] = set()

    def path(self) -> IdentityPath:
        output = self._graph.nodes[-1].name
        convs = [node.name for node in self._graph.nodes if _is_conv(node)]
        pixels = self._pixel_tensors()
        pixel_convs = tuple(name for name in convs if name in pixels)
        if math.isinf(self._lengths[output]):
            return IdentityPath(pixel_convs=pixel_convs)
        self._trace_back(output)
        self._shrink_residual_branches()
        convs_carry_image = not self._nodes.isdisjoint(convs)
        side = self._graph.multiple * 8
        figures = infer(self._graph, InputSpec(side, side)).nodes
        return IdentityPath(
            nodes=frozenset(self._nodes),
            pixel_convs=pixel_convs,
            convs_before_tanh=(
                frozenset(self._convs_before_tanh()) & self._nodes - set(pixel_convs)
            ),
            zero_convs=frozenset(self._zero_convs),
            small_convs=frozenset(self._last_convs(self._small_tensors)),
            side_convs=frozenset(filter(self._reads_image, convs if convs_carry_image else ())),
            channels={INPUT: 3} | {name: row.shape[2] for name, row in figures.items()},
        )

    def _count_convs(self) -> dict[str, float]:
        """Returns the number of convolutions on the shortest path to each tensor.

        It is infinite for tensors that the image cannot reach.
        """
        lengths: dict[str, float] = {INPUT: 0}
        for node in self._graph.nodes:
            input_lengths = [lengths[name] for name in node.inputs]
            if _is_conv(node):
                lengths[node.name] = input_lengths[0] + 1 if _can_pass_image(node) else math.inf
            else:
                passes = node.operator.carries_image
                lengths[node.name] = min(input_lengths) if passes else math.inf
        return lengths

    def _trace_back(self, output: str) -> None:
        """Collects the nodes of the path from ``output`` back to the input."""
        pending = [output]
        while pending:
            name = pending.pop()
            if name not in self._nodes:
                self._nodes.add(name)
                pending += () if name == INPUT else self._path_inputs(self._by_name[name])

    def _path_inputs(self, node: Node) -> tuple[str, ...]:
        """Returns the inputs of ``node`` that carry the image."""
        names = tuple(dict.fromkeys(node.inputs))
        if len(names) == 1:
            return names
        if isinstance(node.operator, Add):
            return (self._path_summand(node),)
        if len({self._split_source(name) for name in names} - {""}) == 1 and all(
            map(self._split_source, names)
        ):
            return names
        chosen = min(names, key=lambda name: self._lengths[name])
        if isinstance(node.operator, Concat):
            self._small_tensors |= set(names) - {chosen}
        return (chosen,)

    def _path_summand(self, node: Node) -> str:
        """Returns the summand of an addition that carries the image.

        It is a summand whose counterpart can be initialized to zero, if there is one. Otherwise it
        is the shorter one, unless the shortest path to the other leads through it.
        """
        summands = sorted(node.inputs, key=lambda name: self._lengths[name])
        for name, other in (summands, summands[::-1]):
            conv = self._linear_end(other)
            if conv and not math.isinf(self._lengths[name]):
                self._zero_convs.add(conv)
                return name
        name, other = summands
        if math.isinf(self._lengths[other]) or not self._leads_through(other, name):
            self._small_tensors.add(other)
            return name
        return other

    def _shrink_residual_branches(self) -> None:
        """Marks residual branches off the path as small, so that their sums do not grow."""
        for node in self._graph.nodes:
            if isinstance(node.operator, Add) and node.name not in self._nodes:
                for name, other in (node.inputs, node.inputs[::-1]):
                    if self._leads_through(other, name):
                        self._small_tensors.add(other)

    def _reads_image(self, name: str) -> bool:
        """Returns whether no convolution lies between the path and the convolution ``name``."""
        source = self._by_name[name].inputs[0]
        while source not in self._nodes:
            if _is_conv(self._by_name[source]):
                return False
            source = self._by_name[source].inputs[0]
        return True

    def _convs_before_tanh(self) -> Iterator[str]:
        """Yields the convolutions, except transposed ones, whose result a tanh reads."""
        for node in self._graph.nodes:
            readers = (reader.operator for reader in self._graph.readers(node.name))
            if isinstance(node.operator, Conv | DepthwiseConv) and any(
                isinstance(reader, Tanh) for reader in readers
            ):
                yield node.name

    def _linear_end(self, name: str) -> str:
        """Returns the convolution without activation that alone determines ``name``, or ""."""
        while name != INPUT:
            node = self._by_name[name]
            if _is_conv(node):
                is_linear = node.operator.fused_activation is Activation.NONE
                return name if is_linear and len(self._graph.readers(name)) == 1 else ""
            if not isinstance(node.operator, DepthToSpace | Multiply):
                return ""
            name = node.inputs[0]
        return ""

    def _last_convs(self, tensors: set[str]) -> Iterator[str]:
        """Yields the convolutions nearest before ``tensors``."""
        pending, seen = list(tensors), {INPUT}
        while pending:
            name = pending.pop()
            if name in seen:
                continue
            seen.add(name)
            if _is_conv(self._by_name[name]):
                yield name
            else:
                pending += self._by_name[name].inputs

    def _leads_through(self, name: str, waypoint: str) -> bool:
        """Returns whether ``waypoint``, not the input, is on the shortest path to ``name``."""
        if waypoint == INPUT:
            return False
        while name != INPUT and self._order[name] > self._order[waypoint]:
            inputs = self._by_name[name].inputs
            name = min(inputs, key=lambda source: self._lengths[source])
        return name == waypoint

    def _split_source(self, name: str) -> str:
        """Returns the tensor that a split before ``name`` divides, or "" if there is no split.

        Only nodes with a single input may lie between the split and ``name``.
        """
        while name != INPUT:
            node = self._by_name[name]
            if isinstance(node.operator, Split):
                return node.inputs[0]
            if len(node.inputs) > 1:
                return ""
            name = node.inputs[0]
        return ""

    def _pixel_tensors(self) -> set[str]:
        """Returns the tensors from which a path without convolutions leads to the output."""
        pixels = {self._graph.nodes[-1].name}
        for node in reversed(self._graph.nodes):
            if node.name in pixels and not _is_conv(node):
                pixels.update(node.inputs)
        return pixels


def _is_conv(node: Node) -> bool:
    return isinstance(node.operator, Conv | DepthwiseConv | TransposedConv)


def _can_pass_image(node: Node) -> bool:
    """Returns whether a convolution with an identity kernel passes on an image."""
    match node.operator:
        case Conv(stride=1, padding=Padding.SAME) | DepthwiseConv(stride=1, padding=Padding.SAME):
            return node.operator.kernel % 2 == 1
        case TransposedConv():
            return True
    return False
