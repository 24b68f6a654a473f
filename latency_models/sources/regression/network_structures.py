"""Structures of networks: what a search goes to next is rarely a row of the table, but like none.

A structure is a whole family, all networks with an operator, or all with a residual of some kind.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from search_spaces import LoweredOperator

from .measurements import Measurement

#: What joins two branches by arithmetic.
_JOINS = frozenset({"ADD", "SUB", "MUL"})


def network_structures(rows: Sequence[Measurement]) -> dict[str, tuple[int, ...]]:
    """Places of the rows of each structure, by its name.

    Those that more than half of the rows have are left: without them there is no table. Of two that
    are the same rows the first counts.
    """
    found: dict[tuple[int, ...], str] = {}
    for name, places in _named(rows):
        if 0 < 2 * len(places) <= len(rows):
            found.setdefault(places, name)
    return {name: places for places, name in found.items()}


def _named(rows: Sequence[Measurement]) -> Iterator[tuple[str, tuple[int, ...]]]:
    families = dict.fromkeys(row.family for row in rows)
    for family in families if len(families) < len(rows) else ():
        yield f"family {family}", _places(row.family == family for row in rows)
    residuals = [residuals_of(row.operators) for row in rows]
    for residual in sorted({name for names in residuals for name in names}):
        yield residual, _places(residual in names for names in residuals)
    kinds = [{operator.kind for operator in row.operators} for row in rows]
    for kind in sorted({kind for of_row in kinds for kind in of_row}):
        yield f"with {kind}", _places(kind in of_row for of_row in kinds)


def _places(which: Iterator[bool]) -> tuple[int, ...]:
    return tuple(index for index, is_one in enumerate(which) if is_one)


def residuals_of(operators: Sequence[LoweredOperator]) -> frozenset[str]:
    """What joins branches: the image added, features added or multiplied, branches concatenated."""
    #: convolutions on the longest way from the image to a tensor
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
