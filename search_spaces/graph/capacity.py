"""How much of an image can get through a graph, and whether its output has gaps."""

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
    """Are there output pixels that no pixel of the image has part in, or no weight?

    A transposed convolution whose kernel is smaller than its stride leaves such gaps; an enlarged
    image that is added fills them, but nothing of it was learned. Borders do not count as gaps.
    """
    side = graph.multiple * 8
    shapes = shapes_of(graph, InputSpec(side, side))
    heights = {name: shape[0] for name, shape in shapes.items()}
    output = graph.nodes[-1].name
    rows = _rows_of(graph, heights, frozenset(range(side)), {})
    if len(rows[output]) < heights[output]:
        return True
    learned = {node.name: rows[node.name] for node in graph.nodes if node.operator.weighs}
    if all(len(made) == heights[name] for name, made in learned.items()):
        return False
    weighed = _rows_of(graph, heights, frozenset(), learned)[output]
    return len(weighed) < max(weighed, default=-1) - min(weighed, default=0) + 1


def _rows_of(
    graph: Graph,
    heights: dict[str, int],
    of_image: frozenset[int],
    known: dict[str, frozenset[int]],
) -> dict[str, frozenset[int]]:
    """Of each tensor, the rows that those ``of_image``, and of ``known`` tensors, have part in."""
    rows = {INPUT: of_image} | known
    for node in graph.nodes:
        if node.name in known:
            continue
        result, made = heights[node.name], frozenset[int]()
        for source in node.inputs:
            reads = node.operator.reads(heights[source], result)
            if reads is None:  # each pixel depends on all
                made = frozenset(range(result))
            elif len(made) < result:
                made |= _made_of(rows[source], heights[source], reads, result)
        rows[node.name] = made
    return rows


def _made_of(rows: frozenset[int], size: int, reads: Reads, result: int) -> frozenset[int]:
    """Of ``result`` rows, those that read any of ``rows``, where there are ``size``."""
    if len(rows) == size and reads.meets_all(size, result):
        return frozenset(range(result))
    return frozenset(row for row in range(result) if not rows.isdisjoint(reads.of(row)))
