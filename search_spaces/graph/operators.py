"""All operators of graphs, except convolutions and activations, which have their own modules."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction

from .activations import ACTIVATIONS
from .convolutions import Conv, DepthwiseConv, TransposedConv
from .operator import Activation, Operator, Shape, require
from .windows import Reads, gathered, interpolated, repeated, shifted, window


class Interpolation(StrEnum):
    """Interpolation method of ``Resize``."""

    NEAREST = "nearest"
    BILINEAR = "bilinear"


class Reduction(StrEnum):
    """What ``Pool`` computes from each window."""

    MAX = "max"
    AVERAGE = "average"


@dataclass(frozen=True)
class _Elementwise(Operator):
    """Elementwise operator on two tensors; dimensions of size 1 are broadcast."""

    arity = 2
    activation: Activation = Activation.NONE

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        a, b = inputs
        require(
            all(x == y or 1 in (x, y) for x, y in zip(a, b, strict=True)),
            f"shapes {a} and {b} do not fit together",
        )
        return max(a[0], b[0]), max(a[1], b[1]), max(a[2], b[2])

    def with_relu(self) -> Operator | None:
        can_fuse = self.activation is Activation.NONE
        return replace(self, activation=Activation.RELU) if can_fuse else None


@dataclass(frozen=True)
class Add(_Elementwise):
    """Sum of two tensors."""

    kind = "add"
    tflite_name = "ADD"
    homogeneous_by_channel = True
    carries_image = True


@dataclass(frozen=True)
class Subtract(_Elementwise):
    """First tensor minus the second."""

    kind = "subtract"
    tflite_name = "SUB"


@dataclass(frozen=True)
class Multiply(_Elementwise):
    """Product of two tensors."""

    kind = "multiply"
    tflite_name = "MUL"


@dataclass(frozen=True)
class Concat(Operator):
    """Concatenation of two or more tensors along their channels."""

    kind = "concat"
    tflite_name = "CONCATENATION"
    joins_scales = True
    carries_image = True
    arity = None

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        require(len(inputs) >= 2, "a concat of one tensor is that tensor; leave it out")
        sizes = {(h, w) for h, w, _ in inputs}
        require(len(sizes) == 1, f"sizes {sorted(sizes)} differ")
        height, width = sizes.pop()
        return height, width, sum(c for _, _, c in inputs)


@dataclass(frozen=True)
class Split(Operator):
    """One of the equal parts into which SPLIT cuts the channels.

    Nodes for other parts of the same tensor share one SPLIT in TFLite.
    """

    kind = "split"
    tflite_name = "SPLIT"
    keeps_scale = True
    carries_image = True
    parts: int = 2
    index: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.parts >= 2, f"parts {self.parts} is less than 2: a split has at least two")
        require(0 <= self.index < self.parts, f"part {self.index} of {self.parts} does not exist")

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        height, width, channels = inputs[0]
        require(
            channels % self.parts == 0, f"{channels} channels cannot be split into {self.parts}"
        )
        return height, width, channels // self.parts


@dataclass(frozen=True)
class Slice(Operator):
    """``size`` consecutive channels, starting at ``begin``."""

    kind = "slice"
    tflite_name = "STRIDED_SLICE"
    keeps_scale = True
    begin: int = 0
    size: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.begin >= 0, f"begin {self.begin} is negative")
        require(self.size >= 1, f"size {self.size} is not positive")

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        height, width, channels = inputs[0]
        end = self.begin + self.size
        require(end <= channels, f"channels {self.begin}..{end - 1} of {channels} do not exist")
        return height, width, self.size


@dataclass(frozen=True)
class _Blockwise(Operator):
    """Base class of operators that move values between channels and blocks of pixels."""

    keeps_scale = True
    carries_image = True
    block: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        require(2 <= self.block <= 16, f"block {self.block} is not within 2..16")


@dataclass(frozen=True)
class DepthToSpace(_Blockwise):
    """Rearranges channels into blocks of pixels, in TensorFlow's order."""

    kind = "depth_to_space"
    tflite_name = "DEPTH_TO_SPACE"

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        height, width, channels = inputs[0]
        require(
            channels % self.block**2 == 0,
            f"{channels} channels are no multiple of block {self.block} squared",
        )
        return height * self.block, width * self.block, channels // self.block**2

    def reads(self, size: int, result: int) -> Reads:
        return repeated(self.block)


@dataclass(frozen=True)
class ShuffleRows(Operator):
    """depth_to_space whose input is given as one tensor for each pixel row of the blocks.

    The tensors are concatenated along their columns; memory then holds the rows of the larger
    image in order, and a RESHAPE suffices. It is for NPUs that lack DEPTH_TO_SPACE.
    """

    kind = "shuffle_rows"
    tflite_name = "RESHAPE"
    joins_scales = True
    arity = None

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        block = len(inputs)
        require(block >= 2, "shuffle_rows needs two or more inputs, one for each row of a block")
        require(len(set(inputs)) == 1, f"shapes {sorted(set(inputs))} differ")
        height, width, channels = inputs[0]
        require(channels % block == 0, f"{channels} channels are no multiple of {block} rows")
        return height * block, width * block, channels // block

    def joined(self, inputs: tuple[Shape, ...]) -> Shape:
        """Returns the shape of the concatenation, before the RESHAPE."""
        height, width, channels = inputs[0]
        return height, width * len(inputs), channels

    def reads(self, size: int, result: int) -> Reads:
        return repeated(result // size)


@dataclass(frozen=True)
class SpaceToDepth(_Blockwise):
    """Rearranges blocks of pixels into channels, in TensorFlow's order."""

    kind = "space_to_depth"
    tflite_name = "SPACE_TO_DEPTH"

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        height, width, channels = inputs[0]
        require(
            height % self.block == 0 and width % self.block == 0,
            f"{height}x{width} is no multiple of block {self.block}",
        )
        return height // self.block, width // self.block, channels * self.block**2

    def reads(self, size: int, result: int) -> Reads:
        return gathered(self.block)

    @property
    def window(self) -> int:
        return 2 * self.block - 1

    @property
    def divisor(self) -> int:
        return self.block


@dataclass(frozen=True)
class Resize(Operator):
    """Enlarges by an integer factor, with half-pixel centers."""

    kind = "resize"
    keeps_scale = True
    carries_image = True
    factor: int = 2
    interpolation: Interpolation = Interpolation.NEAREST

    def __post_init__(self) -> None:
        super().__post_init__()
        require(2 <= self.factor <= 8, f"factor {self.factor} is not within 2..8")

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        height, width, channels = inputs[0]
        return height * self.factor, width * self.factor, channels

    def reads(self, size: int, result: int) -> Reads:
        if self.interpolation is Interpolation.NEAREST:
            return repeated(self.factor)
        return interpolated(Fraction(1, self.factor), half_pixel_centers=True)

    @property
    def tflite_name(self) -> str:
        nearest = self.interpolation is Interpolation.NEAREST
        return "RESIZE_NEAREST_NEIGHBOR" if nearest else "RESIZE_BILINEAR"

    @property
    def window(self) -> int:
        return 1 if self.interpolation is Interpolation.NEAREST else 3


@dataclass(frozen=True)
class Tile(Operator):
    """Repeats the whole tensor ``count`` times along the channels."""

    kind = "tile"
    tflite_name = "TILE"
    keeps_scale = True
    carries_image = True
    count: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.count >= 2, f"count {self.count} is less than 2: it repeats nothing")

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        height, width, channels = inputs[0]
        return height, width, channels * self.count


@dataclass(frozen=True)
class NearestConv(Tile):
    """``Tile`` computed by a 1x1 convolution with fixed weights, which NPUs support.

    Followed by depth_to_space, it is nearest-neighbor enlargement (NCNet, arXiv:2208.11609).
    """

    kind = "nearest_conv"
    tflite_name = "CONV_2D"

    def macs(self, inputs: tuple[Shape, ...]) -> int:
        return math.prod(self.shape(inputs)) * inputs[0][2]


@dataclass(frozen=True)
class Pad(Operator):
    """Pads with ``border`` zero pixels on every side."""

    kind = "pad"
    tflite_name = "PAD"
    keeps_scale = True
    border: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.border >= 1, f"border {self.border} is not positive")

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        height, width, channels = inputs[0]
        return height + 2 * self.border, width + 2 * self.border, channels

    def reads(self, size: int, result: int) -> Reads:
        return shifted(-self.border)


@dataclass(frozen=True)
class Mean(Operator):
    """Average over all pixels: one value per channel."""

    kind = "mean"
    tflite_name = "MEAN"

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        return 1, 1, inputs[0][2]

    def reads(self, size: int, result: int) -> None:
        return None


@dataclass(frozen=True)
class Pool(Operator):
    """Maximum or average of each window, with ``same`` padding."""

    kind = "pool"
    keeps_scale = True
    reduction: Reduction = Reduction.MAX
    size: int = 2
    stride: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        require(2 <= self.size <= 16, f"size {self.size} is not within 2..16")
        require(1 <= self.stride <= 16, f"stride {self.stride} is not within 1..16")

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        height, width, channels = inputs[0]
        return math.ceil(height / self.stride), math.ceil(width / self.stride), channels

    def reads(self, size: int, result: int) -> Reads:
        return window(size, result, self.size, self.stride)

    @property
    def tflite_name(self) -> str:
        return "MAX_POOL_2D" if self.reduction is Reduction.MAX else "AVERAGE_POOL_2D"

    @property
    def window(self) -> int:
        return self.size

    @property
    def divisor(self) -> int:
        return self.stride


OPERATORS: tuple[type[Operator], ...] = (
    Conv, DepthwiseConv, TransposedConv, Add, Subtract, Multiply, Concat, Split, Slice,
    *ACTIVATIONS, DepthToSpace, ShuffleRows, SpaceToDepth, Resize, Tile, NearestConv, Pad, Mean,
    Pool,
)  # fmt: skip
