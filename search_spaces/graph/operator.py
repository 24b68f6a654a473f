"""The base class of operators: immutable, and independent of the image size.

It knows the shape it gives, the variables it owns, its multiply-accumulates, the pixels it reads,
and what TFLite makes of it. How it computes is in ``nas.training.interpretation``, what it costs in
``latency_models``. Shapes are ``(height, width, channels)`` of one image.
"""

from __future__ import annotations

import abc
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import Enum, StrEnum
from functools import cached_property
from typing import Any, ClassVar

from ..attributes import require_types
from ..errors import GraphError
from .windows import PIXEL, Reads

Shape = tuple[int, int, int]


class Activation(StrEnum):
    """Activation that TFLite fuses into an operator."""

    NONE = "none"
    RELU = "relu"


@dataclass(frozen=True)
class Range:
    """Real values that an INT8 tensor's -128 and 127 stand for."""

    low: float
    high: float


def require(condition: bool, message: str) -> None:
    """GraphError with ``message`` unless ``condition`` holds."""
    if not condition:
        raise GraphError(message)


@dataclass(frozen=True)
class Operator(abc.ABC):
    """One operator with its attributes; validated at construction.

    Every attribute has a default, and is of its default's type.
    """

    kind: ClassVar[str]
    #: number of inputs; None: one or more
    arity: ClassVar[int | None] = 1
    #: owns variables, so that two of them on one input are not the same
    trained: ClassVar[bool] = False
    #: TFLite defines it on one INT8 scale, the same at both ends
    keeps_scale: ClassVar[bool] = False
    #: puts its inputs beside each other, so that they and its output have one INT8 scale
    joins_scales: ClassVar[bool] = False
    #: what TFLite's quantization specification fixes for its output, if it does
    fixed_range: ClassVar[Range | None] = None
    #: f(a x) is a f(x) for any a > 0: it computes the same in grey levels as on 0..1
    homogeneous: ClassVar[bool] = True
    #: the same a channel: what comes out of one is a times as large if what goes into it is
    homogeneous_by_channel: ClassVar[bool] = False
    #: sums products with weights of its own, so that its output may be in any unit
    weighs: ClassVar[bool] = False
    #: an image behind it is the image before it, or its pixels in another order
    carries_image: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require_types(self)

    def to_json(self) -> dict[str, Any]:
        """Kind and attributes, as plain values."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        plain = {
            name: value.value if isinstance(value, Enum) else value
            for name, value in values.items()
        }
        return {"kind": self.kind, **plain}

    @cached_property
    def text(self) -> str:
        """``to_json`` as a string, from which hashes are computed."""
        return json.dumps(self.to_json())

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
        """Which of ``size`` input pixels each of ``result`` output pixels reads, along one axis.

        None: each pixel of the output depends on all of the input.
        """
        return PIXEL

    @property
    @abc.abstractmethod
    def tflite_name(self) -> str:
        """Its name in a TFLite file; of a clip, that of its last operator."""

    @property
    def window(self) -> int:
        """Side of the square of input pixels that one output pixel depends on."""
        return 1

    @property
    def fused_activation(self) -> Activation:
        """The activation fused into it; NONE if it cannot have one."""
        return getattr(self, "activation", Activation.NONE)

    def with_relu(self) -> Operator | None:
        """The operator with a ReLU fused; None if TFLite cannot fuse one."""
        return None

    @property
    def divisor(self) -> int:
        """The input's sides must be a multiple of this, for the network's scale to be whole."""
        return 1
