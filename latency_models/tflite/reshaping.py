"""Follows the image's rows and columns through a RESHAPE.

A RESHAPE keeps the order of values: it splits dimensions into outer and inner ones, and merges
neighboring ones. Both shapes are therefore products of the same factors in the same order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from search_spaces.graph.windows import gathered, repeated

from .axes import Dimensions, ImageDimension, Pieces, refusal
from .file import TfliteOperator


@dataclass(frozen=True)
class _Factor:
    """A factor of a dimension; ``dimension`` is its relation to the image, without pieces."""

    size: int
    dimension: ImageDimension | None


def reshaped(
    operator: TfliteOperator,
    shape: tuple[int, ...],
    dimensions: Dimensions,
    result: tuple[int, ...],
) -> Dimensions:
    """Returns the dimensions of the shape ``result``, given ``dimensions`` of the shape ``shape``.

    A side of the image becomes longer if it is merged with an inner dimension, shorter if it is
    split into blocks, and consists of pieces if it is merged with an outer dimension. InputError if
    rows or columns are torn apart.
    """
    remaining: list[_Factor] = []  # innermost first, so that pop() returns the outermost
    for size, dimension in zip(reversed(shape), reversed(dimensions), strict=True):
        for factor in reversed(_factors(size, dimension)):
            _push_factor(remaining, factor)
    if math.prod(factor.size for factor in remaining) != math.prod(result):
        raise refusal(operator, "changes the number of values")
    return tuple(
        _merged_dimension(operator, _pop_factors(operator, remaining, size)) for size in result
    )


def _factors(size: int, dimension: ImageDimension | None) -> list[_Factor]:
    """Splits a dimension into the number of its pieces and one piece; outermost first."""
    if dimension is None or dimension.pieces is None:
        return [_Factor(size, dimension)]
    return [
        _Factor(dimension.count, None),
        _Factor(dimension.axis.size, replace(dimension, pieces=None)),
    ]


def _push_factor(remaining: list[_Factor], factor: _Factor) -> None:
    """Appends ``factor``; merges it with the last one if neither runs along the image."""
    if remaining and remaining[-1].dimension is None and factor.dimension is None:
        factor = _Factor(factor.size * remaining.pop().size, None)
    remaining.append(factor)


def _pop_factors(operator: TfliteOperator, remaining: list[_Factor], size: int) -> list[_Factor]:
    """Removes the factors of a dimension of ``size`` from the end; returns them outermost first."""
    if size == 1:
        return [remaining.pop()] if remaining and remaining[-1].size == 1 else []
    taken: list[_Factor] = []
    while size > 1:
        factor = remaining.pop()
        outer = math.gcd(factor.size, size)
        if outer not in (factor.size, size):
            raise refusal(operator, "takes the image's rows or columns apart")
        if outer < factor.size:
            block, dimension = factor.size // outer, factor.dimension
            factor = _Factor(outer, dimension and dimension.after_operator(gathered(block), outer))
            _push_factor(remaining, _Factor(block, None))
        taken.append(factor)
        size //= outer
    return taken


def _merged_dimension(operator: TfliteOperator, factors: list[_Factor]) -> ImageDimension | None:
    """Merges ``factors``, outermost first, into one dimension."""
    places = [place for place, factor in enumerate(factors) if factor.dimension]
    if not places:
        return None
    if len(places) > 1:
        raise refusal(operator, "takes the image's rows or columns apart")
    (place,) = places
    count, within = (
        math.prod(factor.size for factor in part)
        for part in (factors[:place], factors[place + 1 :])
    )
    size, dimension = factors[place].size, factors[place].dimension
    assert dimension
    made = dimension.after_operator(repeated(within), size * within)
    return replace(made, pieces=Pieces(count, operator.label)) if count > 1 else made
