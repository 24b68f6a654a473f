"""Convolutions: plain, grouped, depthwise, transposed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from ..errors import GraphError
from .operator import Activation, Operator, Shape, require
from .windows import Reads, transposed, window


class Padding(StrEnum):
    """SAME pads with zeros so that the output keeps the size; VALID does not pad."""

    SAME = "same"
    VALID = "valid"


class Branches(StrEnum):
    """Parallel branches of a convolution in training; merged into its kernel before quantization.

    A convolution with branches and as many outputs as inputs also has an identity branch.
    """

    NONE = "none"
    #: x + conv1x1(x) + conv3x3(x), as in PRPSR
    POINTWISE = "pointwise"
    #: conv3x3(x) + conv1x1(conv3x3(conv1x1(x))), with twice as many inner channels as outputs;
    #: as in ECBSR and SCSRN
    EXPANDED = "expanded"


@dataclass(frozen=True)
class _Windowed(Operator):
    """Base class of convolutions: attributes and checks of a sliding kernel."""

    trained = True
    weighs = True
    kernel: int = 3
    stride: int = 1
    dilation: int = 1
    padding: Padding = Padding.SAME
    bias: bool = True
    activation: Activation = Activation.NONE

    def __post_init__(self) -> None:
        super().__post_init__()
        require(1 <= self.kernel <= 31, f"kernel {self.kernel} is not within 1..31")
        require(1 <= self.stride <= 8, f"stride {self.stride} is not within 1..8")
        require(1 <= self.dilation <= 8, f"dilation {self.dilation} is not within 1..8")
        require(
            self.stride == 1 or self.dilation == 1,
            f"stride {self.stride} with dilation {self.dilation}: only one of them may exceed 1",
        )

    def _output_size(self, size: int) -> int:
        span = size
        if self.padding is not Padding.SAME:
            span -= self.window - 1
            require(span >= 1, f"a kernel of {self.window} pixels does not fit into {size}")
        return -(-span // self.stride)

    def reads(self, size: int, result: int) -> Reads:
        return window(size, result, self.kernel, self.stride, self.dilation)

    @property
    def window(self) -> int:
        return (self.kernel - 1) * self.dilation + 1

    def with_relu(self) -> Operator | None:
        can_fuse = self.activation is Activation.NONE
        return replace(self, activation=Activation.RELU) if can_fuse else None

    @property
    def divisor(self) -> int:
        return self.stride


@dataclass(frozen=True)
class Conv(_Windowed):
    """Plain or grouped convolution.

    Its variables are ``kernel`` (k, k, in / groups, filters), ``bias``, and those of its branches.
    """

    kind = "conv"
    tflite_name = "CONV_2D"
    filters: int = 0
    groups: int = 1
    branches: Branches = Branches.NONE

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.filters >= 1, f"filters {self.filters} is not positive")
        require(
            self.groups >= 1 and self.filters % self.groups == 0,
            f"{self.filters} filters cannot be split into {self.groups} groups",
        )
        require(
            self.branches is Branches.NONE
            or (self.groups, self.stride, self.dilation, self.kernel % 2) == (1, 1, 1, 1),
            f"branches {self.branches} are for plain convolutions of an odd kernel",
        )

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        height, width, channels = inputs[0]
        if channels % self.groups:
            raise GraphError(f"{channels} input channels cannot be split into {self.groups} groups")
        return self._output_size(height), self._output_size(width), self.filters

    def variables(self, inputs: tuple[Shape, ...]) -> Mapping[str, tuple[int, ...]]:
        side, channels, filters = self.kernel, inputs[0][2], self.filters
        own_kernel = {"kernel": (side, side, channels // self.groups, filters)}
        bias = {"bias": (filters,)} if self.bias else {}
        match self.branches:
            case Branches.NONE:
                return own_kernel | bias
            case Branches.POINTWISE:
                return own_kernel | bias | {"pointwise": (1, 1, channels, filters)}
        inner_channels = 2 * filters
        return own_kernel | bias | {
            "expand": (1, 1, channels, inner_channels),
            "middle": (side, side, inner_channels, inner_channels),
            "reduce": (1, 1, inner_channels, filters),
        }  # fmt: skip

    def macs(self, inputs: tuple[Shape, ...]) -> int:
        return math.prod(self.shape(inputs)) * self.kernel**2 * (inputs[0][2] // self.groups)


@dataclass(frozen=True)
class DepthwiseConv(_Windowed):
    """Convolution with one kernel per channel; variables ``kernel`` (k, k, in, 1) and ``bias``."""

    kind = "depthwise_conv"
    tflite_name = "DEPTHWISE_CONV_2D"

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        height, width, channels = inputs[0]
        return self._output_size(height), self._output_size(width), channels

    def variables(self, inputs: tuple[Shape, ...]) -> Mapping[str, tuple[int, ...]]:
        channels = inputs[0][2]
        kernel = (self.kernel, self.kernel, channels, 1)
        return {"kernel": kernel, "bias": (channels,)} if self.bias else {"kernel": kernel}

    def macs(self, inputs: tuple[Shape, ...]) -> int:
        return math.prod(self.shape(inputs)) * self.kernel**2


@dataclass(frozen=True)
class TransposedConv(Operator):
    """Has ``same`` padding and the variables ``kernel`` (k, k, filters, in) and ``bias``."""

    kind = "transposed_conv"
    tflite_name = "TRANSPOSE_CONV"
    trained = True
    weighs = True
    filters: int = 3
    kernel: int = 9
    stride: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.filters >= 1, f"filters {self.filters} is not positive")
        require(1 <= self.kernel <= 31, f"kernel {self.kernel} is not within 1..31")
        require(1 <= self.stride <= 8, f"stride {self.stride} is not within 1..8")

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        height, width, _ = inputs[0]
        return height * self.stride, width * self.stride, self.filters

    def variables(self, inputs: tuple[Shape, ...]) -> Mapping[str, tuple[int, ...]]:
        return {
            "kernel": (self.kernel, self.kernel, self.filters, inputs[0][2]),
            "bias": (self.filters,),
        }

    def macs(self, inputs: tuple[Shape, ...]) -> int:
        return math.prod(inputs[0]) * self.kernel**2 * self.filters

    def reads(self, size: int, result: int) -> Reads:
        return transposed(size, result, self.kernel, self.stride)

    @property
    def window(self) -> int:
        return transposed_window(self.kernel, self.stride)


def transposed_window(kernel: int, stride: int) -> int:
    """Returns the side, in input pixels, of what an output pixel depends on; padding ``same``."""
    padding = max(kernel - stride, 0) // 2
    before, after = (kernel - 1 - padding) // stride, (stride - 1 + padding) // stride
    return 2 * max(before, after) + 1
