"""What a RESHAPE makes of the image's rows and columns.

The values stay in their order, so that a dimension may be cut into an outer and an inner one, and
neighbors may become one. Both shapes are thus taken as products of the same factors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from search_spaces.graph.windows import gathered, repeated

from .axes import Along, Dimensions, Pieces, refusal
from .file import TfliteOperator


@dataclass(frozen=True)
class _Factor:
    """A part of a dimension, and what it runs along; never in pieces."""

    size: int
    along: Along | None


def reshaped(
    operator: TfliteOperator,
    shape: tuple[int, ...],
    dimensions: Dimensions,
    result: tuple[int, ...],
) -> Dimensions:
    """The dimensions of ``result``, made of those of ``shape``.

    A side of the image becomes longer by the values within it, and shorter where it is cut into
    blocks; with values of another dimension around it, it is in pieces.
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
    """Neighbors that are not of the image are one factor: any two numbers may be cut out of it."""
    if left and left[-1].along is None and factor.along is None:
        factor = _Factor(factor.size * left.pop().size, None)
    left.append(factor)


def _taken(operator: TfliteOperator, left: list[_Factor], size: int) -> list[_Factor]:
    """The factors of a dimension of ``size``, taken from those that are ``left``."""
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
    """One dimension of ``factors``, the outermost first."""
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
