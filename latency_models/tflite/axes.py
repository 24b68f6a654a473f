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
class Along:
    """A dimension along one side of the image: 0 is its rows, 1 its columns."""

    side: int
    axis: Axis

    def through(self, reads: Reads, size: int) -> Along:
        """As ``Axis.through``."""
        return replace(self, axis=self.axis.through(reads, size))


#: What each dimension of a tensor runs along; None: neither rows nor columns.
Dimensions: TypeAlias = tuple[Along | None, ...]


def refusal(operator: TfliteOperator, reason: str) -> InputError:
    """Names the operator."""
    return InputError(f"{operator.label} {reason}")
