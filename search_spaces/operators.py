"""The operators that a graph is made of: TFLite-like, immutable, free of any image size.

An operator knows its own arithmetic: the shape it gives, the variables it owns, its
multiply-accumulates. How it is trained is in ``nas.network``, what it costs in ``latency_models``.
Shapes are ``(height, width, channels)`` of one image.
"""

from __future__ import annotations

import abc
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from .errors import GraphError

Shape = tuple[int, int, int]


class Activation(StrEnum):
    """What a TFLite operator can fuse into itself."""

    NONE = "none"
    RELU = "relu"


class Padding(StrEnum):
    """Zero padding that keeps the size, or none."""

    SAME = "same"
    VALID = "valid"


class ClipForm(StrEnum):
    """How an output is held in 0..255: by the last quantisation's range, or by two operators."""

    SATURATE = "saturate"
    OPERATOR = "operator"


class Interpolation(StrEnum):
    """How ``Resize`` fills in pixels."""

    NEAREST = "nearest"
    BILINEAR = "bilinear"


class Reduction(StrEnum):
    """What ``Pool`` keeps of its window."""

    MAX = "max"
    AVERAGE = "average"


def _require(condition: bool, message: str) -> None:
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

    @property
    def divisor(self) -> int:
        """Pixels of which its input's sides must be a multiple, for a network of a whole scale."""
        return 1


@dataclass(frozen=True)
class _Windowed(Operator):
    """What every operator with a sliding kernel shares."""

    trained = True
    kernel: int = 3
    stride: int = 1
    dilation: int = 1
    padding: Padding = Padding.SAME
    bias: bool = True
    activation: Activation = Activation.NONE

    def __post_init__(self) -> None:
        _require(1 <= self.kernel <= 31, f"kernel {self.kernel} is not within 1..31")
        _require(1 <= self.stride <= 8, f"stride {self.stride} is not within 1..8")
        _require(1 <= self.dilation <= 8, f"dilation {self.dilation} is not within 1..8")
        _require(
            self.stride == 1 or self.dilation == 1,
            f"stride {self.stride} with dilation {self.dilation}: only one of them may exceed 1",
        )

    def _window(self, size: int) -> int:
        reach = (self.kernel - 1) * self.dilation
        span = size if self.padding is Padding.SAME else size - reach
        _require(span >= 1, f"a kernel that reaches {reach + 1} pixels does not fit into {size}")
        return math.ceil(span / self.stride)

    @property
    def divisor(self) -> int:
        return self.stride


@dataclass(frozen=True)
class Conv(_Windowed):
    """Plain or grouped; variables ``kernel`` (k, k, in / groups, filters) and ``bias``."""

    kind = "conv"
    filters: int = 0
    groups: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        _require(self.filters >= 1, f"filters {self.filters} is not positive")
        _require(
            self.groups >= 1 and self.filters % self.groups == 0,
            f"{self.filters} filters cannot be split into {self.groups} groups",
        )

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        height, width, channels = inputs[0]
        _require(
            channels % self.groups == 0,
            f"{channels} input channels cannot be split into {self.groups} groups",
        )
        return self._window(height), self._window(width), self.filters

    def variables(self, inputs: tuple[Shape, ...]) -> Mapping[str, tuple[int, ...]]:
        kernel = (self.kernel, self.kernel, inputs[0][2] // self.groups, self.filters)
        return {"kernel": kernel, "bias": (self.filters,)} if self.bias else {"kernel": kernel}

    def macs(self, inputs: tuple[Shape, ...]) -> int:
        return math.prod(self.shape(inputs)) * self.kernel**2 * (inputs[0][2] // self.groups)


@dataclass(frozen=True)
class DepthwiseConv(_Windowed):
    """One kernel a channel; variables ``kernel`` (k, k, in, 1) and ``bias``."""

    kind = "depthwise_conv"

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        height, width, channels = inputs[0]
        return self._window(height), self._window(width), channels

    def variables(self, inputs: tuple[Shape, ...]) -> Mapping[str, tuple[int, ...]]:
        channels = inputs[0][2]
        kernel = (self.kernel, self.kernel, channels, 1)
        return {"kernel": kernel, "bias": (channels,)} if self.bias else {"kernel": kernel}

    def macs(self, inputs: tuple[Shape, ...]) -> int:
        return math.prod(self.shape(inputs)) * self.kernel**2


@dataclass(frozen=True)
class TransposedConv(Operator):
    """``same`` padding; variables ``kernel`` (k, k, filters, in) and ``bias``."""

    kind = "transposed_conv"
    trained = True
    filters: int = 3
    kernel: int = 9
    stride: int = 2

    def __post_init__(self) -> None:
        _require(self.filters >= 1, f"filters {self.filters} is not positive")
        _require(1 <= self.kernel <= 31, f"kernel {self.kernel} is not within 1..31")
        _require(1 <= self.stride <= 8, f"stride {self.stride} is not within 1..8")

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


@dataclass(frozen=True)
class _Elementwise(Operator):
    """Two tensors, element by element, broadcast over single rows, columns or channels."""

    arity = 2
    activation: Activation = Activation.NONE

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        a, b = inputs
        _require(
            all(x == y or 1 in (x, y) for x, y in zip(a, b, strict=True)),
            f"shapes {a} and {b} do not fit together",
        )
        return max(a[0], b[0]), max(a[1], b[1]), max(a[2], b[2])


@dataclass(frozen=True)
class Add(_Elementwise):
    """Sum of two tensors."""

    kind = "add"


@dataclass(frozen=True)
class Subtract(_Elementwise):
    """First tensor less the second."""

    kind = "subtract"


@dataclass(frozen=True)
class Multiply(_Elementwise):
    """Product of two tensors."""

    kind = "multiply"


@dataclass(frozen=True)
class Concat(Operator):
    """Two or more tensors one after another in channels."""

    kind = "concat"
    arity = None

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        _require(len(inputs) >= 2, "a concat of one tensor is that tensor; leave it out")
        sizes = {(h, w) for h, w, _ in inputs}
        _require(len(sizes) == 1, f"sizes {sorted(sizes)} differ")
        height, width = sizes.pop()
        return height, width, sum(c for _, _, c in inputs)


@dataclass(frozen=True)
class Split(Operator):
    """One of the equal parts into which SPLIT cuts the channels; siblings share one SPLIT."""

    kind = "split"
    parts: int = 2
    index: int = 0

    def __post_init__(self) -> None:
        _require(self.parts >= 2, f"a split into {self.parts} parts is none")
        _require(0 <= self.index < self.parts, f"part {self.index} of {self.parts} does not exist")

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        height, width, channels = inputs[0]
        _require(
            channels % self.parts == 0, f"{channels} channels cannot be split into {self.parts}"
        )
        return height, width, channels // self.parts


@dataclass(frozen=True)
class Slice(Operator):
    """``size`` channels from ``begin`` on."""

    kind = "slice"
    begin: int = 0
    size: int = 1

    def __post_init__(self) -> None:
        _require(self.begin >= 0, f"begin {self.begin} is negative")
        _require(self.size >= 1, f"size {self.size} is not positive")

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        height, width, channels = inputs[0]
        end = self.begin + self.size
        _require(end <= channels, f"channels {self.begin}..{end - 1} of {channels} do not exist")
        return height, width, self.size


@dataclass(frozen=True)
class _Pointwise(Operator):
    """Keeps the shape."""

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        return inputs[0]


@dataclass(frozen=True)
class Relu(_Pointwise):
    """ReLU as an operator of its own; a conv's is its ``activation``."""

    kind = "relu"


@dataclass(frozen=True)
class LeakyRelu(_Pointwise):
    """x where positive, ``alpha`` x elsewhere."""

    kind = "leaky_relu"
    alpha: float = 0.1

    def __post_init__(self) -> None:
        _require(0 < self.alpha < 1, f"alpha {self.alpha} is not within 0..1")


@dataclass(frozen=True)
class PRelu(_Pointwise):
    """Leaky ReLU with one trained slope a channel; variable ``alpha`` (in,)."""

    kind = "prelu"
    trained = True

    def variables(self, inputs: tuple[Shape, ...]) -> Mapping[str, tuple[int, ...]]:
        return {"alpha": (inputs[0][2],)}


@dataclass(frozen=True)
class Sigmoid(_Pointwise):
    """Logistic function."""

    kind = "sigmoid"


@dataclass(frozen=True)
class Tanh(_Pointwise):
    """Hyperbolic tangent."""

    kind = "tanh"


@dataclass(frozen=True)
class Clip(_Pointwise):
    """Holds grey levels in 0..255."""

    kind = "clip"
    form: ClipForm = ClipForm.SATURATE


@dataclass(frozen=True)
class DepthToSpace(Operator):
    """Channels to pixels, block by block, TensorFlow's order."""

    kind = "depth_to_space"
    block: int = 2

    def __post_init__(self) -> None:
        _require(2 <= self.block <= 16, f"block {self.block} is not within 2..16")

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        height, width, channels = inputs[0]
        _require(
            channels % self.block**2 == 0,
            f"{channels} channels are no multiple of block {self.block} squared",
        )
        return height * self.block, width * self.block, channels // self.block**2


@dataclass(frozen=True)
class SpaceToDepth(Operator):
    """Pixels to channels, block by block, TensorFlow's order."""

    kind = "space_to_depth"
    block: int = 2

    def __post_init__(self) -> None:
        _require(2 <= self.block <= 16, f"block {self.block} is not within 2..16")

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        height, width, channels = inputs[0]
        _require(
            height % self.block == 0 and width % self.block == 0,
            f"{height}x{width} is no multiple of block {self.block}",
        )
        return height // self.block, width // self.block, channels * self.block**2

    @property
    def divisor(self) -> int:
        return self.block


@dataclass(frozen=True)
class Resize(Operator):
    """Enlarges by a whole factor, half-pixel centres."""

    kind = "resize"
    factor: int = 2
    interpolation: Interpolation = Interpolation.NEAREST

    def __post_init__(self) -> None:
        _require(2 <= self.factor <= 8, f"factor {self.factor} is not within 2..8")

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        height, width, channels = inputs[0]
        return height * self.factor, width * self.factor, channels


@dataclass(frozen=True)
class Tile(Operator):
    """The whole tensor repeated ``count`` times in channels."""

    kind = "tile"
    count: int = 2

    def __post_init__(self) -> None:
        _require(self.count >= 2, f"count {self.count} repeats nothing")

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        height, width, channels = inputs[0]
        return height, width, channels * self.count


@dataclass(frozen=True)
class Pad(Operator):
    """``border`` zero pixels on every side."""

    kind = "pad"
    border: int = 1

    def __post_init__(self) -> None:
        _require(self.border >= 1, f"border {self.border} is not positive")

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        height, width, channels = inputs[0]
        return height + 2 * self.border, width + 2 * self.border, channels


@dataclass(frozen=True)
class Mean(Operator):
    """Average over all pixels: one value a channel."""

    kind = "mean"

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        return 1, 1, inputs[0][2]


@dataclass(frozen=True)
class Pool(Operator):
    """Largest or average value of each window, ``same`` padding."""

    kind = "pool"
    reduction: Reduction = Reduction.MAX
    size: int = 2
    stride: int = 1

    def __post_init__(self) -> None:
        _require(2 <= self.size <= 16, f"size {self.size} is not within 2..16")
        _require(1 <= self.stride <= 16, f"stride {self.stride} is not within 1..16")

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        height, width, channels = inputs[0]
        return math.ceil(height / self.stride), math.ceil(width / self.stride), channels

    @property
    def divisor(self) -> int:
        return self.stride


OPERATORS: tuple[type[Operator], ...] = (
    Conv, DepthwiseConv, TransposedConv, Add, Subtract, Multiply, Concat, Split, Slice, Relu,
    LeakyRelu, PRelu, Sigmoid, Tanh, Clip, DepthToSpace, SpaceToDepth, Resize, Tile, Pad, Mean,
    Pool,
)  # fmt: skip
