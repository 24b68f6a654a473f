"""How much of an image can get through a graph: its narrowest place, in values a pixel."""

from __future__ import annotations

import math

import numpy as np

from .graph import INPUT, Graph, shapes_of
from .input_spec import InputSpec
from .windows import Reads

#: Values a pixel of an RGB image.
IMAGE_VALUES = 3


def values_per_pixel(graph: Graph) -> float:
    """At most so many values for each LR pixel come from the input to the output.

    A tensor holds as many as it has elements, and what several hold side by side adds up: the
    answer is a maximum flow (Ford and Fulkerson, 1956). A graph with fewer than IMAGE_VALUES cannot
    even pass on the image that it is given.
    """
    side = graph.multiple * 8
    shapes = shapes_of(graph, InputSpec(side, side))
    sizes = {name: math.prod(shape) for name, shape in shapes.items()}
    whole = sizes[INPUT]
    return (whole if _widest_way(graph, sizes) == whole else _flow(graph, sizes)) / (side * side)


def _widest_way(graph: Graph, sizes: dict[str, int]) -> int:
    """Of all ways from the input to the output, the most that one alone lets through."""
    through = {INPUT: sizes[INPUT]}
    for node in graph.nodes:
        through[node.name] = min(sizes[node.name], max(map(through.__getitem__, node.inputs)))
    return through[graph.nodes[-1].name]


def _flow(graph: Graph, sizes: dict[str, int]) -> int:
    """All ways together let so much through."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import maximum_flow

    place = {name: index for index, name in enumerate(sizes)}
    # A tensor is an edge from its entrance to its exit; what reads it is an edge without a limit.
    edges = [(2 * index, 2 * index + 1, size) for index, size in enumerate(sizes.values())]
    edges += [
        (2 * place[source] + 1, 2 * place[node.name], max(sizes.values()))
        for node in graph.nodes
        for source in dict.fromkeys(node.inputs)
    ]
    begins, ends, limits = (np.array(column, np.int32) for column in zip(*edges, strict=True))
    count = 2 * len(sizes)
    network = coo_array((limits, (begins, ends)), shape=(count, count)).tocsr()
    return int(maximum_flow(network, 0, count - 1).flow_value)


def has_gaps(graph: Graph) -> bool:
    """Are there output pixels that no pixel of the image has part in?

    A transposed convolution whose kernel is smaller than its stride leaves such gaps.
    """
    side = graph.multiple * 8
    shapes = shapes_of(graph, InputSpec(side, side))
    rows = {INPUT: frozenset(range(side))}
    for node in graph.nodes:
        result, made = shapes[node.name][0], frozenset[int]()
        for source in node.inputs:
            reads = node.operator.reads(shapes[source][0], result)
            if reads is None:  # each pixel depends on all
                made = frozenset(range(result))
            elif len(made) < result:
                made |= _made_of(rows[source], shapes[source][0], reads, result)
        rows[node.name] = made
    return len(rows[graph.nodes[-1].name]) < shapes[graph.nodes[-1].name][0]


def _made_of(rows: frozenset[int], size: int, reads: Reads, result: int) -> frozenset[int]:
    """Of ``result`` rows, those that read any of ``rows``, where there are ``size``."""
    if len(rows) == size and reads.meets_all(size, result):
        return frozenset(range(result))
    return frozenset(row for row in range(result) if not rows.isdisjoint(reads.of(row)))
