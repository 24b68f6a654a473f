"""The base class of operators, which are immutable and independent of the image size.

An operator knows its output shape, its variables, its multiply-accumulates, the pixels it reads,
and its form in TFLite. Its computation is in ``nas.training.interpretation``, its cost in
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
    """Activation that TFLite can fuse into an operator."""

    NONE = "none"
    RELU = "relu"


@dataclass(frozen=True)
class Range:
    """Real values that -128 and 127 of an INT8 tensor represent."""

    low: float
    high: float


def require(condition: bool, message: str) -> None:
    """Raises GraphError with ``message`` unless ``condition`` holds."""
    if not condition:
        raise GraphError(message)


@dataclass(frozen=True)
class Operator(abc.ABC):
    """One operator with its attributes, which are validated at construction.

    Every attribute has a default and must have the type of its default.
    """

    kind: ClassVar[str]
    #: number of inputs; None for any number from one on
    arity: ClassVar[int | None] = 1
    #: has trained variables, so two such operators with the same input may differ in their results
    trained: ClassVar[bool] = False
    #: TFLite requires its input and output to have the same INT8 scale
    keeps_scale: ClassVar[bool] = False
    #: concatenates its inputs, so that they and its output must have the same INT8 scale
    joins_scales: ClassVar[bool] = False
    #: output range that TFLite's quantization specification prescribes, if any
    fixed_range: ClassVar[Range | None] = None
    #: f(a x) = a f(x) for any a > 0, so that grey levels and values in 0..1 give the same result
    homogeneous: ClassVar[bool] = True
    #: homogeneous channel by channel: scaling one input channel scales only that output channel
    homogeneous_by_channel: ClassVar[bool] = False
    #: multiplies its inputs by its own weights, so that its output may be in any unit
    weighs: ClassVar[bool] = False
    #: passes on an image that it reads, possibly with its pixels in another order
    carries_image: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require_types(self)

    def to_json(self) -> dict[str, Any]:
        """Returns the kind and the attributes as values that JSON can represent."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        json_values = {
            name: value.value if isinstance(value, Enum) else value
            for name, value in values.items()
        }
        return {"kind": self.kind, **json_values}

    @cached_property
    def text(self) -> str:
        """JSON text of ``to_json``, from which hashes are computed."""
        return json.dumps(self.to_json())

    @abc.abstractmethod
    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        """Returns the output shape; raises GraphError if the input shapes are invalid."""

    def variables(self, inputs: tuple[Shape, ...]) -> Mapping[str, tuple[int, ...]]:
        """Returns the shapes of the operator's trained variables by name."""
        return {}

    def macs(self, inputs: tuple[Shape, ...]) -> int:
        """Returns the number of multiply-accumulates for one image."""
        return 0

    def reads(self, size: int, result: int) -> Reads | None:
        """Returns which of ``size`` input pixels each of ``result`` output pixels reads on an axis.

        Returns None if each output pixel depends on the whole input.
        """
        return PIXEL

    @property
    @abc.abstractmethod
    def tflite_name(self) -> str:
        """Name of the operator in a TFLite file; for a clip, the name of its last operator."""

    @property
    def window(self) -> int:
        """Side of the square of input pixels that one output pixel depends on."""
        return 1

    @property
    def fused_activation(self) -> Activation:
        """The activation fused into the operator; NONE if it has none or cannot have one."""
        return getattr(self, "activation", Activation.NONE)

    def with_relu(self) -> Operator | None:
        """Returns the operator with a ReLU fused into it, or None if that is not possible."""
        return None

    @property
    def divisor(self) -> int:
        """Input sides must be a multiple of this, so that the network's scale is an integer."""
        return 1
