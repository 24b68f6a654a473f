"""Names and shapes of a network's values, and the check that weights match a graph."""

from __future__ import annotations

import numpy as np

from search_spaces import INPUT, Graph, InputError, InputSpec, infer
from search_spaces.graph.quantization import ScaleGroup, quantization_groups

from .job import Weights


def range_key(group: ScaleGroup) -> str:
    """Returns the prefix of the keys of the learned range of ``group`` in a network's weights."""
    return f"range/{group.tensors[0]}"


def value_shapes(graph: Graph) -> dict[str, tuple[int, ...]]:
    """Returns the shape of every value of ``graph``: node variables and learned INT8 ranges."""
    side = graph.multiple * 8  # no variable depends on the size of the image
    figures = infer(graph, InputSpec(side, side))
    shapes = {INPUT: (side, side, 3)} | {name: f.shape for name, f in figures.nodes.items()}
    variables = {
        f"{node.name}/{name}": shape
        for node in graph.nodes
        for name, shape in node.operator.variables(tuple(shapes[n] for n in node.inputs)).items()
    }
    ranges = {
        f"{range_key(group)}/{bound}": ()
        for group in quantization_groups(graph).groups
        if group.fixed is None
        for bound in ("low", "high")
    }
    return variables | ranges


def require_weights_of(graph: Graph, weights: Weights) -> None:
    """Raises InputError, naming the first wrong value, unless ``weights`` match ``graph``."""
    for name, shape in value_shapes(graph).items():
        value = weights.get(name)
        if value is None:
            raise InputError(f"no value {name!r}: the weights are of another network")
        if value.shape != shape:
            raise InputError(
                f"{name!r} has the shape {value.shape}, the network's has {shape}: the weights "
                "are of another network"
            )
        if value.dtype.kind != "f" or not np.isfinite(value).all():
            raise InputError(f"{name!r} holds values that are no finite numbers")
