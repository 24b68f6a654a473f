"""Ways through a graph: of the image, from the input to the output, and of what is trained."""

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
    """Nodes on the path, and what becomes of those beside it."""

    nodes: frozenset[str] = frozenset()
    #: convolutions, on the path or beside it, whose outputs are pixels
    last: tuple[str, ...] = ()
    #: convolutions on the path that a tanh follows, and that make features
    before_tanh: frozenset[str] = frozenset()
    #: convolutions whose result is added to the image, and may be nothing at first
    silent: frozenset[str] = frozenset()
    #: those that have an activation, and may not; the ends of other residual branches; and those
    #: whose result stands beside the image in a concat
    quiet: frozenset[str] = frozenset()
    #: convolutions that read the image, where others carry it
    beside: frozenset[str] = frozenset()
    #: of every tensor
    channels: dict[str, int] = field(default_factory=dict)

    @classmethod
    def through(cls, graph: Graph) -> IdentityPath:
        """The path with the fewest convolutions; without nodes if there is none."""
        return _Search(graph).path()

    @property
    def closed(self) -> IdentityPath:
        """Nothing is led anywhere, and no pixel is made at first."""
        return IdentityPath(last=self.last, silent=frozenset(self.last))


def has_living_path(graph: Graph, dead: frozenset[str]) -> bool:
    """Does a path through at least one convolution, and none of ``dead``, lead to the output?"""
    reached, convolved = {INPUT}, set[str]()
    for node in graph.nodes:
        sources = reached.intersection(node.inputs)
        if not sources or node.name in dead:
            continue
        reached.add(node.name)
        if _is_conv(node) or convolved.intersection(sources):
            convolved.add(node.name)
    return graph.nodes[-1].name in convolved


class _Search:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._by_name = {node.name: node for node in graph.nodes}
        self._order = {node.name: index for index, node in enumerate(graph.nodes)}
        self._lengths = self._count_convs()
        self._nodes: set[str] = set()
        self._silent: set[str] = set()
        #: tensors whose last convolutions are to be quiet
        self._calmed: set[str] = set()

    def path(self) -> IdentityPath:
        output = self._graph.nodes[-1].name
        convs = [node.name for node in self._graph.nodes if _is_conv(node)]
        pixels = self._pixels()
        last = tuple(name for name in convs if name in pixels)
        if math.isinf(self._lengths[output]):
            return IdentityPath(last=last)
        self._follow(output)
        self._calm_branches()
        carried = not self._nodes.isdisjoint(convs)
        side = self._graph.multiple * 8
        figures = infer(self._graph, InputSpec(side, side)).nodes
        return IdentityPath(
            nodes=frozenset(self._nodes),
            last=last,
            before_tanh=frozenset(self._before_tanh()) & self._nodes - set(last),
            silent=frozenset(self._silent),
            quiet=frozenset(self._ends(self._calmed)),
            beside=frozenset(filter(self._reads_image, convs if carried else ())),
            channels={INPUT: 3} | {name: row.shape[2] for name, row in figures.items()},
        )

    def _count_convs(self) -> dict[str, float]:
        """How many convolutions the shortest path to each tensor has; infinite if there is none."""
        lengths: dict[str, float] = {INPUT: 0}
        for node in self._graph.nodes:
            before = [lengths[name] for name in node.inputs]
            if _is_conv(node):
                lengths[node.name] = before[0] + 1 if _passes(node) else math.inf
            else:
                passes = node.operator.carries_image
                lengths[node.name] = min(before) if passes else math.inf
        return lengths

    def _follow(self, output: str) -> None:
        ahead = [output]
        while ahead:
            name = ahead.pop()
            if name not in self._nodes:
                self._nodes.add(name)
                ahead += () if name == INPUT else self._choose(self._by_name[name])

    def _choose(self, node: Node) -> tuple[str, ...]:
        """The inputs of ``node`` by which the image comes."""
        names = tuple(dict.fromkeys(node.inputs))
        if len(names) == 1:
            return names
        if isinstance(node.operator, Add):
            return (self._choose_summand(node),)
        if len({self._split_source(name) for name in names} - {""}) == 1 and all(
            map(self._split_source, names)
        ):
            return names
        chosen = min(names, key=lambda name: self._lengths[name])
        if isinstance(node.operator, Concat):
            self._calmed |= set(names) - {chosen}
        return (chosen,)

    def _choose_summand(self, node: Node) -> str:
        """That beside which the other can be silent; or the one that comes by way of the other."""
        ways = sorted(node.inputs, key=lambda name: self._lengths[name])
        for name, other in (ways, ways[::-1]):
            conv = self._linear_end(other)
            if conv and not math.isinf(self._lengths[name]):
                self._silent.add(conv)
                return name
        name, other = ways
        if math.isinf(self._lengths[other]) or not self._comes_by(other, name):
            self._calmed.add(other)
            return name
        return other

    def _calm_branches(self) -> None:
        """Features beside the path stay as large as they are, however many blocks add to them."""
        for node in self._graph.nodes:
            if isinstance(node.operator, Add) and node.name not in self._nodes:
                for name, other in (node.inputs, node.inputs[::-1]):
                    if self._comes_by(other, name):
                        self._calmed.add(other)

    def _reads_image(self, name: str) -> bool:
        """Is there no convolution between the image and this one?"""
        source = self._by_name[name].inputs[0]
        while source not in self._nodes:
            if _is_conv(self._by_name[source]):
                return False
            source = self._by_name[source].inputs[0]
        return True

    def _before_tanh(self) -> Iterator[str]:
        """Convolutions that a tanh follows; transposed ones make no features."""
        for node in self._graph.nodes:
            readers = (reader.operator for reader in self._graph.readers(node.name))
            if isinstance(node.operator, Conv | DepthwiseConv) and any(
                isinstance(reader, Tanh) for reader in readers
            ):
                yield node.name

    def _linear_end(self, name: str) -> str:
        """The convolution without activation that decides ``name``, if there is one."""
        while name != INPUT:
            node = self._by_name[name]
            if _is_conv(node):
                plain = node.operator.fused_activation is Activation.NONE
                return name if plain and len(self._graph.readers(name)) == 1 else ""
            if not isinstance(node.operator, DepthToSpace | Multiply):
                return ""
            name = node.inputs[0]
        return ""

    def _ends(self, tensors: set[str]) -> Iterator[str]:
        """The convolutions that ``tensors`` were last made by."""
        ahead, seen = list(tensors), {INPUT}
        while ahead:
            name = ahead.pop()
            if name in seen:
                continue
            seen.add(name)
            if _is_conv(self._by_name[name]):
                yield name
            else:
                ahead += self._by_name[name].inputs

    def _comes_by(self, name: str, by: str) -> bool:
        """Is ``by`` on the shortest path to ``name``?"""
        if by == INPUT:
            return False
        while name != INPUT and self._order[name] > self._order[by]:
            inputs = self._by_name[name].inputs
            name = min(inputs, key=lambda source: self._lengths[source])
        return name == by

    def _split_source(self, name: str) -> str:
        """What was split, a few nodes before ``name``."""
        while name != INPUT:
            node = self._by_name[name]
            if isinstance(node.operator, Split):
                return node.inputs[0]
            if len(node.inputs) > 1:
                return ""
            name = node.inputs[0]
        return ""

    def _pixels(self) -> set[str]:
        """Tensors that come to the output without a convolution on the path."""
        pixels = {self._graph.nodes[-1].name}
        for node in reversed(self._graph.nodes):
            if node.name in pixels and not _is_conv(node):
                pixels.update(node.inputs)
        return pixels


def _is_conv(node: Node) -> bool:
    return isinstance(node.operator, Conv | DepthwiseConv | TransposedConv)


def _passes(node: Node) -> bool:
    """Can an identity kernel pass an image through this convolution?"""
    match node.operator:
        case Conv(stride=1, padding=Padding.SAME) | DepthwiseConv(stride=1, padding=Padding.SAME):
            return node.operator.kernel % 2 == 1
        case TransposedConv():
            return True
    return False
