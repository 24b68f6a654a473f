"""Which dimensions of a tensor run along the rows and columns of the image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

from search_spaces import InputError
from search_spaces.graph.tiling import Axis
from search_spaces.graph.windows import Reads

from .file import TfliteOperator

#: Names of the sides, by ``Along.side``.
SIDES = ("rows", "columns")


@dataclass(frozen=True)
class Pieces:
    """``count`` tensors concatenated along rows or columns, each as long as the image."""

    count: int
    #: the operator that concatenated them, for messages
    joined_by: str


@dataclass(frozen=True)
class Along:
    """A dimension along one side of the image: 0 for its rows, 1 for its columns.

    With ``pieces``, it consists of several concatenated ones, and ``axis`` is that of each.
    """

    side: int
    axis: Axis
    pieces: Pieces | None = None

    @property
    def count(self) -> int:
        """Number of pieces, 1 without."""
        return self.pieces.count if self.pieces else 1

    @property
    def size(self) -> int:
        """Length of the dimension."""
        return self.count * self.axis.size

    def through(self, reads: Reads, size: int) -> Along:
        """``Axis.through`` of each piece: after an operator that reads ``reads``, ``size`` long."""
        return replace(self, axis=self.axis.through(reads, size))


#: For each dimension of a tensor, what it runs along; None: neither rows nor columns.
Dimensions: TypeAlias = tuple[Along | None, ...]


def refusal(operator: TfliteOperator, reason: str) -> InputError:
    """The error that ``operator`` cannot be tiled, for ``reason``."""
    return InputError(f"{operator.label} {reason}")


def require_no_pieces(dimensions: Dimensions, reader: str) -> None:
    """InputError if ``reader``, an operator or the output, would read pieces as one image."""
    for along in dimensions:
        if along is not None and along.pieces is not None:
            raise InputError(
                f"{along.pieces.joined_by} puts rows or columns beside each other, "
                f"and {reader} takes them for one image"
            )
