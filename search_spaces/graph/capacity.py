"""How much of an image can get through a graph: its narrowest place, in values a pixel."""

from __future__ import annotations

import math

import numpy as np

from .graph import INPUT, Graph, infer
from .input_spec import InputSpec

#: Values a pixel of an RGB image.
IMAGE_VALUES = 3


def values_per_pixel(graph: Graph) -> float:
    """At most so many values for each LR pixel come from the input to the output.

    A tensor holds as many as it has elements, and what several hold side by side adds up: the
    answer is a maximum flow (Ford and Fulkerson, 1956). A graph with fewer than IMAGE_VALUES cannot
    even pass on the image that it is given.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import maximum_flow

    side = graph.multiple * 8
    figures = infer(graph, InputSpec(side, side)).nodes
    names = [INPUT, *(node.name for node in graph.nodes)]
    place = {name: index for index, name in enumerate(names)}
    sizes = [side * side * 3, *(int(np.prod(figures[node.name].shape)) for node in graph.nodes)]
    # A tensor is an edge from its entrance to its exit; what reads it is an edge without a limit.
    edges = [(2 * index, 2 * index + 1, size) for index, size in enumerate(sizes)]
    edges += [
        (2 * place[source] + 1, 2 * place[node.name], max(sizes))
        for node in graph.nodes
        for source in dict.fromkeys(node.inputs)
    ]
    begins, ends, limits = (np.array(column, np.int32) for column in zip(*edges, strict=True))
    count = 2 * len(names)
    network = coo_array((limits, (begins, ends)), shape=(count, count)).tocsr()
    flow = maximum_flow(network, 0, count - 1).flow_value
    return float(flow) / (side * side)


def has_gaps(graph: Graph) -> bool:
    """Are there output pixels that no pixel of the image has part in?

    A transposed convolution whose kernel is smaller than its stride leaves such gaps.
    """
    side = graph.multiple * 8
    shapes = {INPUT: (side, side, 3)}
    shapes |= {name: row.shape for name, row in infer(graph, InputSpec(side, side)).nodes.items()}
    rows = {INPUT: frozenset(range(side))}
    for node in graph.nodes:
        result, made = shapes[node.name][0], set[int]()
        for source in node.inputs:
            reads = node.operator.reads(shapes[source][0], result)
            if reads is None:  # each pixel depends on all
                made |= set(range(result))
                continue
            for row in range(result):
                first = math.floor(reads.step * row + reads.first)
                last = math.ceil(reads.step * row + reads.last)
                if not rows[source].isdisjoint(range(first, last + 1)):
                    made.add(row)
        rows[node.name] = frozenset(made)
    return len(rows[graph.nodes[-1].name]) < shapes[graph.nodes[-1].name][0]
