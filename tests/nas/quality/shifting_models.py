"""Random models of operators that shift, stretch and rearrange the image, for any size of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from hypothesis import strategies as st

from search_spaces import InputSpec
from tests.latency_models.tflite_builder import TfliteBuilder

CHANNELS = 3
#: Beyond it takes long.
LARGEST_RATE = 6


class DoesNotFitError(Exception):
    """The model makes nothing of an image of this size."""


@dataclass
class Sketch:
    """A file under way: its last tensor, that one's size, and its pixels for each of the image."""

    input: InputSpec
    file: TfliteBuilder = field(default_factory=TfliteBuilder)
    last: int = 0
    size: tuple[int, int] = (0, 0)
    rate: Fraction = Fraction(1)

    def __post_init__(self) -> None:
        self.size = (self.input.height, self.input.width)
        self.last = self.file.tensor((1, *self.size, CHANNELS))
        self.random = np.random.default_rng(0)

    def put(
        self,
        kind: str,
        size: tuple[int, int],
        *parameters: int,
        channels: int = CHANNELS,
        options: str = "",
        **values: object,
    ) -> None:
        """An operator on the last tensor; ``parameters`` are its further inputs."""
        if min(size) < 1 or self.rate > LARGEST_RATE:
            raise DoesNotFitError
        inputs = (self.last, *parameters)
        self.last = self.file.add(kind, inputs, (1, *size, channels), options, **values)
        self.size = size

    def weights(self, *shape: int, channels_first: bool = True) -> tuple[int, int]:
        """A kernel that keeps levels about as bright as they are, and a bias of zeros."""
        values = self.random.integers(-40, 120, shape)
        per_output = values.size // (shape[0] if channels_first else shape[-1])
        scale = 1 / (40 * per_output)
        kernel = self.file.constant(values, "INT8", scale)
        count = shape[0] if channels_first else shape[-1]
        return kernel, self.file.constant(np.zeros(count), "INT32", scale)

    def pointwise(self, channels: int) -> None:
        """A convolution 1x1."""
        self._conv((1, 1), channels=channels)

    def _conv(
        self, kernel: tuple[int, int], channels: int = CHANNELS, *, same: bool = False
    ) -> None:
        depth = self.file.tensors[self.last].shape[3]
        self.put(
            "CONV_2D", self.size, *self.weights(channels, *kernel, depth), channels=channels,
            options="Conv2DOptions", strideH=1, strideW=1, padding=0 if same else 1,
        )  # fmt: skip

    def parts(self, count: int, channels: int, kernel: int, split: bool) -> list[int]:
        """Tensors of so many channels, each of a convolution of its own, or of one for all."""
        source = self.last
        if not split:
            made = []
            for _ in range(count):
                self.last = source
                self._conv((kernel, kernel), channels, same=True)
                made.append(self.last)
            return made
        self._conv((kernel, kernel), count * channels, same=True)
        made = [self.file.tensor((1, *self.size, channels)) for _ in range(count)]
        self.file.operator(
            "SPLIT", (self.file.constant(3), self.last), tuple(made), "SplitOptions",
            numSplits=count,
        )  # fmt: skip
        return made

    def image(self, crop: int) -> bytes:
        """The file, its output cropped or padded to a whole scale."""
        if self.rate.denominator > 1:
            resize(self.rate.denominator, bilinear=False, half_pixel=False)(self)
        scale = int(self.rate)
        wanted = (scale * self.input.height, scale * self.input.width)
        extra = [side - want for side, want in zip(self.size, wanted, strict=True)]
        if max(extra) > 0:
            before = [min(crop, max(pixels, 0)) for pixels in extra]
            after = [max(pixels, 0) - begin for pixels, begin in zip(extra, before, strict=True)]
            cut(before, after)(self)
        if min(extra) < 0:
            pad([0, 0], [max(-pixels, 0) for pixels in extra])(self)
        return self.file.build((0,), (self.last,))


Step = Callable[[Sketch], None]


def conv(
    kernel: tuple[int, int], stride: int, dilation: int, *, same: bool, depthwise: bool
) -> Step:
    def step(sketch: Sketch) -> None:
        spans = [(side - 1) * dilation + 1 for side in kernel]
        sizes = [
            math.ceil((size if same else size - span + 1) / stride)
            for size, span in zip(sketch.size, spans, strict=True)
        ]
        shape = (1, *kernel, CHANNELS) if depthwise else (CHANNELS, *kernel, CHANNELS)
        sketch.put(
            "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D", (sizes[0], sizes[1]),
            *sketch.weights(*shape, channels_first=not depthwise),
            options="DepthwiseConv2DOptions" if depthwise else "Conv2DOptions",
            strideH=stride, strideW=stride, dilationHFactor=dilation, dilationWFactor=dilation,
            padding=0 if same else 1, **({"depthMultiplier": 1} if depthwise else {}),
        )  # fmt: skip
        sketch.rate /= stride

    return step


def pool(kernel: tuple[int, int], stride: int, *, same: bool, largest: bool) -> Step:
    def step(sketch: Sketch) -> None:
        height, width = (
            math.ceil((size if same else size - side + 1) / stride)
            for size, side in zip(sketch.size, kernel, strict=True)
        )
        sketch.put(
            "MAX_POOL_2D" if largest else "AVERAGE_POOL_2D", (height, width),
            options="Pool2DOptions", strideH=stride, strideW=stride, filterHeight=kernel[0],
            filterWidth=kernel[1], padding=0 if same else 1,
        )  # fmt: skip
        sketch.rate /= stride

    return step


def deconv(kernel: tuple[int, int], stride: int, *, same: bool) -> Step:
    def step(sketch: Sketch) -> None:
        height, width = (
            size * stride if same else (size - 1) * stride + side
            for size, side in zip(sketch.size, kernel, strict=True)
        )
        weights, _ = sketch.weights(CHANNELS, *kernel, CHANNELS)
        source, shape = sketch.last, sketch.file.constant([1, height, width, CHANNELS])
        sketch.last = shape
        sketch.put(
            "TRANSPOSE_CONV", (height, width), weights, source, options="TransposeConvOptions",
            strideH=stride, strideW=stride, padding=0 if same else 1,
        )  # fmt: skip
        sketch.rate *= stride

    return step


def pad(before: list[int], after: list[int], mirror: int | None = None) -> Step:
    def step(sketch: Sketch) -> None:
        widths = [[0, 0], *zip(before, after, strict=True), [0, 0]]
        height, width = (
            size + sum(pair) for size, pair in zip(sketch.size, widths[1:3], strict=True)
        )
        if mirror is None:
            sketch.put("PAD", (height, width), sketch.file.constant(widths))
            return
        if max(*before, *after) >= min(sketch.size):
            raise DoesNotFitError
        sketch.put(
            "MIRROR_PAD", (height, width), sketch.file.constant(widths),
            options="MirrorPadOptions", mode=mirror,
        )  # fmt: skip

    return step


def cut(begin: list[int], end: list[int], stride: int | None = None) -> Step:
    def step(sketch: Sketch) -> None:
        height, width = (
            math.ceil((size - first - last) / (stride or 1))
            for size, first, last in zip(sketch.size, begin, end, strict=True)
        )
        first = sketch.file.constant([0, *begin, 0])
        if stride is None:
            size = sketch.file.constant([1, height, width, CHANNELS])
            sketch.put("SLICE", (height, width), first, size)
            return
        last = [size - less for size, less in zip(sketch.size, end, strict=True)]
        sketch.put(
            "STRIDED_SLICE", (height, width), first, sketch.file.constant([1, *last, CHANNELS]),
            sketch.file.constant([1, stride, stride, 1]), options="StridedSliceOptions",
        )  # fmt: skip
        sketch.rate /= stride

    return step


def resize(factor: int, *, bilinear: bool, half_pixel: bool, shrink: bool = False) -> Step:
    def step(sketch: Sketch) -> None:
        if shrink and any(size % factor for size in sketch.size):
            raise DoesNotFitError
        height, width = (size // factor if shrink else size * factor for size in sketch.size)
        kind, options = ("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighborOptions")
        if bilinear:
            kind, options = ("RESIZE_BILINEAR", "ResizeBilinearOptions")
        sketch.put(
            kind, (height, width), sketch.file.constant([height, width]), options=options,
            halfPixelCenters=half_pixel,
        )  # fmt: skip
        sketch.rate *= Fraction(1, factor) if shrink else factor

    return step


def blocks(block: int, *, by_hand: bool) -> Step:
    """Channels to pixels, by DEPTH_TO_SPACE or as PyTorch's exporters write it."""

    def step(sketch: Sketch) -> None:
        sketch.pointwise(CHANNELS * block**2)
        (height, width), file = sketch.size, sketch.file
        size = (height * block, width * block)
        if not by_hand:
            sketch.put("DEPTH_TO_SPACE", size, options="DepthToSpaceOptions", blockSize=block)
        else:
            apart = (1, height, width, CHANNELS, block, block)
            parts = file.add("RESHAPE", (sketch.last, file.constant(apart)), apart)
            order = (0, 1, 4, 2, 5, 3)
            moved = tuple(apart[place] for place in order)
            sketch.last = file.add("TRANSPOSE", (parts, file.constant(order)), moved)
            sketch.put("RESHAPE", size, file.constant([1, *size, CHANNELS]))
        sketch.rate *= block

    return step


def gather(block: int) -> Step:
    def step(sketch: Sketch) -> None:
        if any(size % block for size in sketch.size):
            raise DoesNotFitError
        height, width = (size // block for size in sketch.size)
        sketch.put(
            "SPACE_TO_DEPTH", (height, width), channels=CHANNELS * block**2,
            options="SpaceToDepthOptions", blockSize=block,
        )  # fmt: skip
        sketch.pointwise(CHANNELS)
        sketch.rate /= block

    return step


def in_batches(block: int, before: int) -> Step:
    """A depthwise convolution 3x3 of every ``block``-th pixel, as old converters write it."""

    def step(sketch: Sketch) -> None:
        file, (height, width) = sketch.file, sketch.size
        after = [before + -(size + 2 * before) % block for size in (height, width)]
        small = tuple(
            (size + before + more) // block for size, more in zip(sketch.size, after, strict=True)
        )
        if min(small) < 3:
            raise DoesNotFitError
        sides = file.constant([block, block])
        widths = file.constant([[before, after[0]], [before, after[1]]])
        parts = file.add(
            "SPACE_TO_BATCH_ND", (sketch.last, sides, widths), (block**2, *small, CHANNELS)
        )
        inner = (small[0] - 2, small[1] - 2)
        made = file.add(
            "DEPTHWISE_CONV_2D", (parts, *sketch.weights(1, 3, 3, CHANNELS, channels_first=False)),
            (block**2, *inner, CHANNELS), "DepthwiseConv2DOptions", strideH=1, strideW=1,
            padding=1, depthMultiplier=1,
        )  # fmt: skip
        sketch.last = made
        crops = file.constant([[0, 0], [0, 0]])
        sketch.put("BATCH_TO_SPACE_ND", (inner[0] * block, inner[1] * block), sides, crops)

    return step


def channels_first() -> Step:
    """There and back, with a ReLU between."""

    def step(sketch: Sketch) -> None:
        file, size = sketch.file, sketch.size
        there = file.add(
            "TRANSPOSE", (sketch.last, file.constant([0, 3, 1, 2])), (1, CHANNELS, *size)
        )
        sketch.last = file.add("RELU", (there,), (1, CHANNELS, *size))
        sketch.put("TRANSPOSE", size, file.constant([0, 2, 3, 1]))

    return step


def beside(shift: int, *, largest: bool) -> Step:
    """The brighter or the darker one of each pixel and the one ``shift`` further on."""

    def step(sketch: Sketch) -> None:
        source = sketch.last
        cut([shift, shift], [0, 0])(sketch)
        pad([0, 0], [shift, shift])(sketch)
        sketch.put("MAXIMUM" if largest else "MINIMUM", sketch.size, source)

    return step


_SMALL = st.integers(0, 5)
_PAIRS = st.lists(_SMALL, min_size=2, max_size=2)
_KERNELS = st.tuples(st.integers(1, 4), st.integers(1, 4))
_FLAGS = st.booleans()
_STRIDES = st.sampled_from([1, 1, 2, 3])
STEPS: st.SearchStrategy[Step] = st.one_of(
    st.builds(conv, _KERNELS, _STRIDES, st.just(1), same=_FLAGS, depthwise=_FLAGS),
    st.builds(conv, _KERNELS, st.just(1), st.integers(1, 3), same=_FLAGS, depthwise=_FLAGS),
    st.builds(pool, _KERNELS, _STRIDES, same=_FLAGS, largest=_FLAGS),
    st.builds(
        deconv, st.tuples(st.integers(1, 6), st.integers(1, 6)), st.integers(1, 3), same=_FLAGS
    ),
    st.builds(pad, _PAIRS, _PAIRS, st.sampled_from([None, 0, 1])),
    st.builds(cut, _PAIRS, _PAIRS, st.sampled_from([None, 1, 2, 3])),
    st.builds(resize, st.integers(1, 3), bilinear=_FLAGS, half_pixel=_FLAGS, shrink=_FLAGS),
    st.builds(blocks, st.integers(2, 3), by_hand=_FLAGS),
    st.builds(gather, st.integers(2, 3)),
    st.builds(in_batches, st.integers(2, 3), st.integers(0, 4)),
    st.builds(channels_first),
    st.builds(beside, st.integers(0, 4), largest=_FLAGS),
)


def make_model(steps: list[Step], size: InputSpec, crop: int) -> tuple[bytes, int]:
    """The file of ``steps`` for images of ``size``, and its scale; DoesNotFitError if none."""
    sketch = Sketch(size)
    for step in steps:
        step(sketch)
    return sketch.image(crop), int(sketch.rate)
