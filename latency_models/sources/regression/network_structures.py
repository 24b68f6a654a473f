"""Structures of networks: a family, or all networks with a kind of operator or of residual.

A search moves away from the networks of a table. The accuracy of a model on such new networks is
estimated by leaving whole structures out of the fit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from search_spaces import LoweredOperator

from .measurements import Measurement

#: Operators that join two branches by arithmetic.
_JOINS = frozenset({"ADD", "SUB", "MUL"})


def network_structures(rows: Sequence[Measurement]) -> dict[str, tuple[int, ...]]:
    """Returns the indices of the rows of each structure, by its name.

    Structures with more than half of the rows are omitted, since too few rows would remain for a
    fit. Of structures with the same rows, only the first is returned.
    """
    names: dict[tuple[int, ...], str] = {}
    for name, places in _named_structures(rows):
        if 0 < 2 * len(places) <= len(rows):
            names.setdefault(places, name)
    return {name: places for places, name in names.items()}


def _named_structures(rows: Sequence[Measurement]) -> Iterator[tuple[str, tuple[int, ...]]]:
    families = dict.fromkeys(row.family for row in rows)
    for family in families if len(families) < len(rows) else ():
        yield f"family {family}", _indices(row.family == family for row in rows)
    residuals = [residuals_of(row.operators) for row in rows]
    for residual in sorted({name for names in residuals for name in names}):
        yield residual, _indices(residual in names for names in residuals)
    kinds = [{operator.kind for operator in row.operators} for row in rows]
    for kind in sorted({kind for of_row in kinds for kind in of_row}):
        yield f"with {kind}", _indices(kind in of_row for of_row in kinds)


def _indices(which: Iterator[bool]) -> tuple[int, ...]:
    return tuple(index for index, is_one in enumerate(which) if is_one)


def residuals_of(operators: Sequence[LoweredOperator]) -> frozenset[str]:
    """Returns kinds of residuals: image added, features added, branches concatenated."""
    # Tensor -> number of operators with MACs on the longest path from the image.
    depth: dict[str, int] = {}
    residuals = set()
    for operator in operators:
        depths = [depth.get(tensor.name, 0) for tensor in operator.inputs]
        if operator.kind in _JOINS and len(depths) > 1:
            residuals.add("the image added" if min(depths) == 0 else "features added")
        if operator.kind == "CONCATENATION" and max(depths) > 0:
            residuals.add("branches concatenated")
        for tensor in operator.outputs:
            depth[tensor.name] = max(depths, default=0) + (operator.macs > 0)
    return frozenset(residuals)
