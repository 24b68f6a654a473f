"""A tensor's dimensions along the rows and columns of the image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

from search_spaces import InputError
from search_spaces.graph.tiling import Axis
from search_spaces.graph.windows import Reads

from .file import TfliteOperator

#: Of the image, by ``Along.side``.
SIDES = ("rows", "columns")


@dataclass(frozen=True)
class Pieces:
    """Tensors beside each other in one dimension, each as long as the image."""

    count: int
    #: the operator that put them there, for messages
    joined_by: str


@dataclass(frozen=True)
class Along:
    """A dimension along one side of the image: 0 is its rows, 1 its columns.

    With ``pieces`` the dimension is so many times as long, and ``axis`` is that of each of them.
    """

    side: int
    axis: Axis
    pieces: Pieces | None = None

    @property
    def count(self) -> int:
        """How many times the image's side is there, one after another."""
        return self.pieces.count if self.pieces else 1

    @property
    def size(self) -> int:
        """Of the dimension."""
        return self.count * self.axis.size

    def through(self, reads: Reads, size: int) -> Along:
        """As ``Axis.through``, of each piece."""
        return replace(self, axis=self.axis.through(reads, size))


#: What each dimension of a tensor runs along; None: neither rows nor columns.
Dimensions: TypeAlias = tuple[Along | None, ...]


def refusal(operator: TfliteOperator, reason: str) -> InputError:
    """Names the operator."""
    return InputError(f"{operator.label} {reason}")


def require_no_pieces(dimensions: Dimensions, reader: str) -> None:
    """InputError names ``reader``, an operator or the output, that takes pieces for one image."""
    for along in dimensions:
        if along is not None and along.pieces is not None:
            raise InputError(
                f"{along.pieces.joined_by} puts rows or columns beside each other, "
                f"and {reader} takes them for one image"
            )
