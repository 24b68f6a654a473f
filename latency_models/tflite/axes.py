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
class ImageDimension:
    """A dimension of a tensor that runs along the rows (``side`` 0) or columns (1) of the image.

    With ``pieces``, it consists of several concatenated dimensions; ``axis`` is that of each one.
    """

    side: int
    axis: Axis
    pieces: Pieces | None = None

    @property
    def count(self) -> int:
        """Number of pieces; 1 if the dimension is not concatenated."""
        return self.pieces.count if self.pieces else 1

    @property
    def size(self) -> int:
        """Length of the dimension."""
        return self.count * self.axis.size

    def after_operator(self, reads: Reads, size: int) -> ImageDimension:
        """Returns the dimension after an operator with ``reads``; each piece is ``size`` long."""
        return replace(self, axis=self.axis.through(reads, size))


#: For each dimension of a tensor: its relation to the image; None: neither rows nor columns.
Dimensions: TypeAlias = tuple[ImageDimension | None, ...]


def refusal(operator: TfliteOperator, reason: str) -> InputError:
    """Returns the error for an operator that prevents tiling or resizing for ``reason``."""
    return InputError(f"{operator.label} {reason}")


def require_no_pieces(dimensions: Dimensions, reader: str) -> None:
    """InputError if ``reader``, an operator or the output, would read pieces as one image."""
    for dimension in dimensions:
        if dimension is not None and dimension.pieces is not None:
            raise InputError(
                f"{dimension.pieces.joined_by} puts rows or columns beside each other, "
                f"and {reader} takes them for one image"
            )
