"""Activation operators; each preserves the shape of its input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from .operator import Operator, Range, Shape, require


class ClipForm(StrEnum):
    """How a tensor is clipped to 0..255: by saturation of its INT8 range, or by two operators."""

    SATURATE = "saturate"
    OPERATOR = "operator"


@dataclass(frozen=True)
class _Pointwise(Operator):
    """Base class of operators that preserve the shape of their input."""

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        return inputs[0]


@dataclass(frozen=True)
class Relu(_Pointwise):
    """ReLU as a separate operator; a ReLU fused into a convolution is its ``activation``."""

    kind = "relu"
    tflite_name = "RELU"
    homogeneous_by_channel = True
    carries_image = True


@dataclass(frozen=True)
class LeakyRelu(_Pointwise):
    """x where positive, ``alpha`` x elsewhere; input and output share one INT8 scale.

    Some runtimes round slopes to multiples of 1/256 (XNNPACK, qs8-vlrelu). There, the shared scale
    makes the positive side exact, and an ``alpha`` that is a multiple of 1/256 the negative side.
    """

    kind = "leaky_relu"
    tflite_name = "LEAKY_RELU"
    keeps_scale = True
    homogeneous_by_channel = True
    carries_image = True
    alpha: float = 0.125

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 < self.alpha < 1, f"alpha {self.alpha} is not within 0..1")


@dataclass(frozen=True)
class PRelu(_Pointwise):
    """Leaky ReLU with one trained slope per channel; variable ``alpha`` (in,)."""

    kind = "prelu"
    tflite_name = "PRELU"
    homogeneous_by_channel = True
    carries_image = True
    trained = True

    def variables(self, inputs: tuple[Shape, ...]) -> Mapping[str, tuple[int, ...]]:
        return {"alpha": (inputs[0][2],)}


@dataclass(frozen=True)
class Sigmoid(_Pointwise):
    """Logistic function."""

    kind = "sigmoid"
    tflite_name = "LOGISTIC"
    homogeneous = False
    fixed_range = Range(0.0, 255 / 256)


@dataclass(frozen=True)
class Tanh(_Pointwise):
    """Hyperbolic tangent."""

    kind = "tanh"
    tflite_name = "TANH"
    homogeneous = False
    fixed_range = Range(-1.0, 127 / 128)
    carries_image = True


@dataclass(frozen=True)
class HardSwish(_Pointwise):
    """x ReLU6(x + 3) / 6 (Howard et al., "Searching for MobileNetV3", ICCV 2019)."""

    kind = "hard_swish"
    tflite_name = "HARD_SWISH"
    homogeneous = False


@dataclass(frozen=True)
class Clip(_Pointwise):
    """Clips grey levels to 0..255: of the output image, or of any tensor as an activation."""

    kind = "clip"
    tflite_name = "RELU"
    carries_image = True
    form: ClipForm = ClipForm.SATURATE


ACTIVATIONS: tuple[type[Operator], ...] = (
    Relu, LeakyRelu, PRelu, Sigmoid, Tanh, HardSwish, Clip,
)  # fmt: skip
#: Activations that leave an image, whose grey levels are within 0..255, unchanged.
POINTWISE = (Relu, LeakyRelu, PRelu, Clip)
