"""What an operator is: immutable, free of any image size, and master of its own arithmetic.

It knows the shape it gives, the variables it owns, its multiply-accumulates, the pixels it reads.
How it is trained is in ``nas.networks``, what it costs in ``latency_models``. Shapes are
``(height, width, channels)`` of one image.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from .errors import GraphError
from .reads import PIXEL, Reads

Shape = tuple[int, int, int]


class Activation(StrEnum):
    """What a TFLite operator can fuse into itself."""

    NONE = "none"
    RELU = "relu"


def require(condition: bool, message: str) -> None:
    """GraphError with ``message`` unless ``condition`` holds."""
    if not condition:
        raise GraphError(message)


@dataclass(frozen=True)
class Operator(abc.ABC):
    """One operator with its attributes; validated at construction."""

    kind: ClassVar[str]
    #: number of inputs; None: one or more
    arity: ClassVar[int | None] = 1
    #: owns variables, so that two of them on one input are not the same
    trained: ClassVar[bool] = False

    @abc.abstractmethod
    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        """Output shape for the input shapes; GraphError if they do not fit."""

    def variables(self, inputs: tuple[Shape, ...]) -> Mapping[str, tuple[int, ...]]:
        """Shapes of the operator's trained variables by name."""
        return {}

    def macs(self, inputs: tuple[Shape, ...]) -> int:
        """Multiply-accumulates for one image."""
        return 0

    def reads(self, size: int, result: int) -> Reads | None:
        """Along one axis, ``size`` pixels of an input to ``result`` of the output.

        None: each pixel of the output depends on all of the input.
        """
        return PIXEL

    @property
    def divisor(self) -> int:
        """Pixels of which its input's sides must be a multiple, for a network of a whole scale."""
        return 1
