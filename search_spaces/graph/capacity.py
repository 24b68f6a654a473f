"""How much information of an image a graph can pass on, and whether its output has gaps."""

from __future__ import annotations

import math

import numpy as np

from .graph import INPUT, Graph, shapes_of
from .input_spec import InputSpec
from .windows import Reads

#: Number of values in each pixel of an RGB image.
IMAGE_VALUES = 3


def values_per_pixel(graph: Graph) -> float:
    """Returns an upper bound on the values per LR pixel that can pass from input to output.

    A tensor can pass on as many values as it has elements, and parallel paths add up, so the bound
    is a maximum flow (Ford and Fulkerson, 1956). A graph with fewer than IMAGE_VALUES cannot even
    reproduce its input image.
    """
    side = graph.multiple * 8
    shapes = shapes_of(graph, InputSpec(side, side))
    sizes = {name: math.prod(shape) for name, shape in shapes.items()}
    image_size = sizes[INPUT]
    passes_all = _widest_path(graph, sizes) == image_size
    return (image_size if passes_all else _maximum_flow(graph, sizes)) / (side * side)


def _widest_path(graph: Graph, sizes: dict[str, int]) -> int:
    """Returns the largest bottleneck, in elements, of any single path from input to output."""
    bottlenecks = {INPUT: sizes[INPUT]}
    for node in graph.nodes:
        widest_input = max(map(bottlenecks.__getitem__, node.inputs))
        bottlenecks[node.name] = min(sizes[node.name], widest_input)
    return bottlenecks[graph.nodes[-1].name]


def _maximum_flow(graph: Graph, sizes: dict[str, int]) -> int:
    """Returns the maximum flow, in elements, over all paths from input to output together."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import maximum_flow

    index_of = {name: index for index, name in enumerate(sizes)}
    # Each tensor is an edge, limited by its size, from an entry vertex to an exit vertex; each use
    # of a tensor by a node is an edge with an unlimited capacity.
    edges = [(2 * index, 2 * index + 1, size) for index, size in enumerate(sizes.values())]
    edges += [
        (2 * index_of[source] + 1, 2 * index_of[node.name], max(sizes.values()))
        for node in graph.nodes
        for source in dict.fromkeys(node.inputs)
    ]
    begins, ends, limits = (np.array(column, np.int32) for column in zip(*edges, strict=True))
    count = 2 * len(sizes)
    network = coo_array((limits, (begins, ends)), shape=(count, count)).tocsr()
    return int(maximum_flow(network, 0, count - 1).flow_value)


def has_gaps(graph: Graph) -> bool:
    """Returns whether some output pixels depend on no pixel of the image, or on no learned weight.

    A transposed convolution whose kernel is smaller than its stride leaves such gaps. Adding an
    enlarged image fills them, but only with values that no weight has influenced. Borders do not
    count as gaps.
    """
    side = graph.multiple * 8
    shapes = shapes_of(graph, InputSpec(side, side))
    heights = {name: shape[0] for name, shape in shapes.items()}
    output = graph.nodes[-1].name
    rows = _dependent_rows(graph, heights, frozenset(range(side)), {})
    if len(rows[output]) < heights[output]:
        return True
    learned_rows = {node.name: rows[node.name] for node in graph.nodes if node.operator.weighs}
    if all(len(dependent) == heights[name] for name, dependent in learned_rows.items()):
        return False
    weighted_rows = _dependent_rows(graph, heights, frozenset(), learned_rows)[output]
    return len(weighted_rows) < max(weighted_rows, default=-1) - min(weighted_rows, default=0) + 1


def _dependent_rows(
    graph: Graph,
    heights: dict[str, int],
    image_rows: frozenset[int],
    known_rows: dict[str, frozenset[int]],
) -> dict[str, frozenset[int]]:
    """Returns, for each tensor, the rows that depend on ``image_rows`` or on ``known_rows``.

    ``image_rows`` are rows of the input image; ``known_rows`` gives rows of some other tensors,
    which are taken as they are.
    """
    rows = {INPUT: image_rows} | known_rows
    for node in graph.nodes:
        if node.name in known_rows:
            continue
        result, dependent = heights[node.name], frozenset[int]()
        for source in node.inputs:
            reads = node.operator.reads(heights[source], result)
            if reads is None:  # each output pixel depends on the whole input
                dependent = frozenset(range(result))
            elif len(dependent) < result:
                dependent |= _rows_reading(rows[source], heights[source], reads, result)
        rows[node.name] = dependent
    return rows


def _rows_reading(rows: frozenset[int], size: int, reads: Reads, result: int) -> frozenset[int]:
    """Returns which of ``result`` output rows read any of ``rows``, out of ``size`` input rows."""
    if len(rows) == size and reads.every_output_reads_input(size, result):
        return frozenset(range(result))
    return frozenset(row for row in range(result) if not rows.isdisjoint(reads.pixels_read_by(row)))
