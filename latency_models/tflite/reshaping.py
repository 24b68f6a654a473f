"""Follows the image's rows and columns through a RESHAPE.

A RESHAPE keeps the order of values: it splits dimensions into outer and inner ones, and merges
neighboring ones. Both shapes are therefore products of the same factors in the same order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from search_spaces.graph.windows import gathered, repeated

from .axes import Along, Dimensions, Pieces, refusal
from .file import TfliteOperator


@dataclass(frozen=True)
class _Factor:
    """A factor of a dimension, and what it runs along, without pieces."""

    size: int
    along: Along | None


def reshaped(
    operator: TfliteOperator,
    shape: tuple[int, ...],
    dimensions: Dimensions,
    result: tuple[int, ...],
) -> Dimensions:
    """The dimensions of the shape ``result``, given ``dimensions`` of the shape ``shape``.

    A side of the image merged with an inner dimension becomes longer, split into blocks shorter;
    merged with an outer dimension it is in pieces. InputError if rows or columns are torn apart.
    """
    left: list[_Factor] = []  # from the innermost to the outermost, which is taken first
    for size, along in zip(reversed(shape), reversed(dimensions), strict=True):
        for factor in reversed(_factors(size, along)):
            _put_before(left, factor)
    if math.prod(factor.size for factor in left) != math.prod(result):
        raise refusal(operator, "changes the number of values")
    return tuple(_joined(operator, _taken(operator, left, size)) for size in result)


def _factors(size: int, along: Along | None) -> list[_Factor]:
    if along is None or along.pieces is None:
        return [_Factor(size, along)]
    return [_Factor(along.count, None), _Factor(along.axis.size, replace(along, pieces=None))]


def _put_before(left: list[_Factor], factor: _Factor) -> None:
    """Appends ``factor``, merged with the last one if neither is of the image."""
    if left and left[-1].along is None and factor.along is None:
        factor = _Factor(factor.size * left.pop().size, None)
    left.append(factor)


def _taken(operator: TfliteOperator, left: list[_Factor], size: int) -> list[_Factor]:
    """Removes the factors of a dimension of ``size`` from ``left``, outermost first."""
    if size == 1:
        return [left.pop()] if left and left[-1].size == 1 else []
    taken: list[_Factor] = []
    while size > 1:
        factor = left.pop()
        outer = math.gcd(factor.size, size)
        if outer not in (factor.size, size):
            raise refusal(operator, "takes the image's rows or columns apart")
        if outer < factor.size:
            block, along = factor.size // outer, factor.along
            factor = _Factor(outer, along and along.through(gathered(block), outer))
            _put_before(left, _Factor(block, None))
        taken.append(factor)
        size //= outer
    return taken


def _joined(operator: TfliteOperator, factors: list[_Factor]) -> Along | None:
    """The dimension that ``factors``, outermost first, are merged to."""
    places = [place for place, factor in enumerate(factors) if factor.along]
    if not places:
        return None
    if len(places) > 1:
        raise refusal(operator, "takes the image's rows or columns apart")
    (place,) = places
    count, within = (
        math.prod(factor.size for factor in part)
        for part in (factors[:place], factors[place + 1 :])
    )
    size, along = factors[place].size, factors[place].along
    assert along
    made = along.through(repeated(within), size * within)
    return replace(made, pieces=Pieces(count, operator.label)) if count > 1 else made
