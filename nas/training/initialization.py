"""First weights: every network starts as nearest-neighbor enlargement, and learns what is missing.

Plain nets that must first learn to carry the image spend a short training on that alone, and wide
ones started at random lose all their ReLUs within the first steps. So the image is led from the
input to the output by identity kernels in a few channels (as in QuickSRNet, Berger et al.,
arXiv:2303.04336), by the path with the fewest convolutions; what an addition puts upon the image
adds nothing at first. Everything else is He-normal, so that features keep their size through any
number of convolutions, but quiet where it meets something: the image in a concat, or what a
residual branch is added to.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from search_spaces import (
    INPUT,
    Activation,
    Branches,
    Concat,
    Conv,
    DepthwiseConv,
    Graph,
    InputSpec,
    Node,
    Operator,
    SpaceToDepth,
    Split,
    TransposedConv,
    beside_kernel,
    infer,
)

from .identity_path import IdentityPath

Array = npt.NDArray[np.float32]

#: Of He-normal, where a convolution reads the image that others carry: larger features take most
#: of the INT8 range that they share with it. Of 1, 1/2 and 1/4, this gave XLSR and a net with a
#: feature skip the best INT8 PSNR after 500 steps.
_BESIDE_IMAGE = np.float32(0.5)
#: Of He-normal, where nothing at all would not do: a ReLU of it would never wake up. After 500
#: steps and INT8, FastSR had 26.92 and 26.93 dB (two seeds) with this at the ends of its residual
#: branches and 26.82 and 26.90 without; XLSR, whose features meet the image in a concat, 26.87 and
#: 26.82 against 26.77 and 26.76.
_QUIET = np.float32(0.1)
#: Of He-normal, where no ReLU follows that would take half of the power.
_LINEAR = np.float32(0.5**0.5)
#: Of He-normal, around the middle kernel of an expanded branch. Adam moves every weight by the same
#: step, which the other two kernels of the product multiply. After 400 steps, a plain net of 28
#: channels had 29.67 dB without branches, and with 0.3, 0.1 and 0.03 of it 27.21, 29.58, 29.65.
_INNER = 0.03
#: Variables of convolutions that multiply features.
KERNELS = frozenset({"kernel", "pointwise", "expand", "middle", "reduce"})
#: The converter drops the bias of a transposed convolution if it is nothing.
_NOT_NOTHING = np.float32(1e-4)
#: What one tanh is given of the image: from -this to this, black to white. Of n tanhs each has a
#: part by the root of n, so that together they bend the image as one does, by 12 levels. INT8 has
#: 256 levels for a tanh's -1..1: when the image had 32 of them, ESPCN lost 0.55 dB by quantizing
#: after 500 steps, now 0.07.
_TANH_INPUT = 0.85


@dataclass(frozen=True)
class _Image:
    """An image within a tensor: its components by channel, times ``gain``, plus ``black``.

    Three components, or three for each pixel of the blocks that space_to_depth made.
    """

    gain: float
    channels: dict[int, int]
    components: int = 3
    black: float = 0.0

    @property
    def whole(self) -> bool:
        return len(self.channels) == self.components


def initial_parameters(graph: Graph, seed: int) -> dict[str, Array]:
    """Every variable of ``graph`` by "node/variable", normalized to images of 0..1."""
    path = IdentityPath.through(graph)
    parameters, images = _parameters(graph, seed, path)
    image = images.get(graph.nodes[-1].name)
    if image is not None and image.whole:
        return parameters
    # The image does not get through: the network starts grey.
    parameters, _ = _parameters(graph, seed, path.closed)
    for name in path.last[-1:]:
        if f"{name}/bias" in parameters:
            parameters[f"{name}/bias"] += 0.5
    return parameters


def _parameters(
    graph: Graph, seed: int, path: IdentityPath
) -> tuple[dict[str, Array], dict[str, _Image]]:
    """All values, the image led along ``path``; and where it is."""
    random = np.random.default_rng(seed)
    side = graph.multiple * 8
    figures = infer(graph, InputSpec(side, side))
    shapes = {INPUT: (side, side, 3)} | {name: f.shape for name, f in figures.nodes.items()}
    images = {INPUT: _Image(1.0, {0: 0, 1: 1, 2: 2})}
    parameters: dict[str, Array] = {}
    for node in graph.nodes:
        inputs = tuple(shapes[name] for name in node.inputs)
        values = {
            name: _random_value(node.operator, name, shape, random)
            for name, shape in node.operator.variables(inputs).items()
        }
        if "kernel" in values:
            values["kernel"] *= _loudness(node, path)
            if _is_linear(node, graph):
                values["kernel"] *= _LINEAR
        if isinstance(node.operator, TransposedConv):
            values["bias"] += _NOT_NOTHING
        if node.name in path.nodes:
            image = _lead_on(node, values, images, path)
            if image is not None:
                images[node.name] = image
        if isinstance(node.operator, Conv) and node.operator.branches is not Branches.NONE:
            # Together the branches begin where the convolution alone would.
            values["kernel"] -= beside_kernel(node.operator, values, np.einsum)
        parameters |= {f"{node.name}/{name}": value for name, value in values.items()}
    return parameters, images


def _loudness(node: Node, path: IdentityPath) -> np.float32:
    """By what a He-normal kernel is multiplied."""
    if node.name in path.silent:
        return np.float32(0.0)
    if node.name in path.quiet:
        return _QUIET
    return _BESIDE_IMAGE if node.name in path.beside else np.float32(1.0)


def _is_linear(node: Node, graph: Graph) -> bool:
    """Does a convolution go to convolutions only, with nothing between?"""
    return node.operator.fused_activation is Activation.NONE and all(
        isinstance(reader.operator, Conv | DepthwiseConv) for reader in graph.readers(node.name)
    )


def _random_value(
    operator: Operator, name: str, shape: tuple[int, ...], random: np.random.Generator
) -> Array:
    match name:
        case name if name in KERNELS:
            deviation = he_deviation(operator, shape)
            deviation *= _INNER if name in ("expand", "reduce") else 1.0
            return random.normal(0.0, deviation, shape).astype(np.float32)
        case "alpha":
            return np.full(shape, 0.25, np.float32)
    return np.zeros(shape, np.float32)


def he_deviation(operator: Operator, shape: tuple[int, ...]) -> float:
    """Standard deviation of a kernel of ``shape`` that keeps features' size behind a ReLU.

    He et al., "Delving deep into rectifiers", ICCV 2015, equation 10.
    """
    inputs = shape[:2] if isinstance(operator, DepthwiseConv) else shape[:3]
    return float(np.sqrt(2 / np.prod(inputs)))


def _lead_on(
    node: Node, values: dict[str, Array], images: dict[str, _Image], path: IdentityPath
) -> _Image | None:
    """Writes identity kernels into a convolution's values; where the image is behind ``node``."""
    sources = [images.get(name) if name in path.nodes else None for name in node.inputs]
    there = [source for source in sources if source is not None]
    if there and "kernel" in values:
        return _lead_through(node, values, there[0], path)
    return _pass_on(node, sources, there, path) if there else None


def _pass_on(
    node: Node, sources: list[_Image | None], there: list[_Image], path: IdentityPath
) -> _Image | None:
    """Where the image is behind an operator that only moves or adds."""
    match node.operator:
        case SpaceToDepth(block=block):
            count = 3 * block**2
            return _Image(1.0, {index: index for index in range(count)}, count)
        case Split(index=index):
            return _part(there[0], path.channels[node.name], index)
        case Concat() if node.name in path.channels and set(node.inputs) != {INPUT}:
            return _side_by_side(sources, [path.channels[name] for name in node.inputs])
    if len(there) > 1 and all(source.channels == there[0].channels for source in there):
        gain, black = sum(source.gain for source in there), sum(source.black for source in there)
        return replace(there[0], gain=gain, black=black)
    return there[0] if len(set(node.inputs)) == 1 or len(there) == 1 else None


def _lead_through(
    node: Node, values: dict[str, Array], image: _Image, path: IdentityPath
) -> _Image | None:
    """Writes identity kernels, and biases; where the image is behind the convolution.

    If a tanh follows, behind that.
    """
    kernel, black = values["kernel"], image.black / image.gain
    match node.operator:
        case Conv() if node.name in path.last:
            led = _write_pixels(kernel, image)
        case Conv() as conv:
            led = _write_identity(kernel, conv.groups, image)
        case TransposedConv() as conv:
            led = _write_enlargement(kernel, conv.stride, image)
        case _:
            led = _write_depthwise(kernel, image)
    if led is None:
        return None
    if "bias" in values:
        outputs = slice(None) if node.name in path.last else list(led.channels.values())
        values["bias"][outputs] -= black
        black = 0.0
    led = replace(led, black=black)
    if node.name not in path.before_tanh:
        return led
    return _lead_into_tanh(node, values, led, _TANH_INPUT / math.sqrt(len(path.before_tanh)))


def _lead_into_tanh(node: Node, values: dict[str, Array], image: _Image, high: float) -> _Image:
    """Lets a convolution give white as ``high``; where the image is behind the tanh that follows.

    Black is as far below 0, where that can be: around 0 a tanh bends least.
    """
    kernel, carriers = values["kernel"], list(image.channels.values())
    is_free = "bias" in values and node.operator.fused_activation is Activation.NONE
    low = -high if is_free else 0.0
    kernel[..., carriers] *= high - low
    if "bias" in values:
        values["bias"][carriers] *= high - low
        values["bias"][carriers] += low
    black = math.tanh(low + image.black * (high - low))
    white = math.tanh(low + (image.black + image.gain) * (high - low))
    return replace(image, gain=white - black, black=black)


def _write_identity(kernel: Array, groups: int, image: _Image) -> _Image | None:
    """Lets an output channel pass on each component; None if a group has too few outputs.

    An output sees the inputs of its own group only: so the components are kept apart where any
    output will do.
    """
    center, inputs, outputs = kernel.shape[0] // 2, kernel.shape[2], kernel.shape[3]
    if groups == 1:
        spread = [part * outputs // image.components for part in range(image.components)]
        carriers = {component: spread[component] for component in image.channels}
    else:
        size = outputs // groups
        free = [iter(range(group * size, (group + 1) * size)) for group in range(groups)]
        carriers = {
            component: next(free[channel // inputs], -1)
            for component, channel in image.channels.items()
        }
    if len(set(carriers.values())) < len(carriers) or -1 in carriers.values():
        return None
    for component, carrier in carriers.items():
        kernel[..., carrier] = 0.0
        kernel[center, center, image.channels[component] % inputs, carrier] = 1 / image.gain
    return _Image(1.0, carriers, image.components)


def _write_depthwise(kernel: Array, image: _Image) -> _Image:
    center = kernel.shape[0] // 2
    for channel in image.channels.values():
        kernel[:, :, channel] = 0.0
        kernel[center, center, channel] = 1 / image.gain
    return replace(image, gain=1.0, black=0.0)


def _write_pixels(kernel: Array, image: _Image) -> _Image | None:
    """Every output is a pixel of the block that depth_to_space makes, of the nearest component."""
    if not image.whole:
        return None
    center, outputs = kernel.shape[0] // 2, kernel.shape[3]
    block, stride = (round((n / 3) ** 0.5) for n in (outputs, image.components))
    kernel[...] = 0.0
    for output in range(outputs):
        (row, column), color = divmod(output // 3, block), output % 3
        nearest = row * stride // block * stride + column * stride // block
        channel = image.channels[nearest * 3 + color]
        kernel[center, center, channel % kernel.shape[2], output] = 1 / image.gain
    return _Image(1.0, {0: 0, 1: 1, 2: 2})


def _write_enlargement(kernel: Array, stride: int, image: _Image) -> _Image | None:
    """Each component becomes its part of ``stride`` x ``stride`` pixels."""
    if not image.whole or kernel.shape[0] < stride or kernel.shape[2] < 3:
        return None
    across = round((image.components / 3) ** 0.5)
    first, size = (kernel.shape[0] - stride) // 2, stride // across
    kernel[...] = 0.0
    for component, channel in image.channels.items():
        (row, column), color = divmod(component // 3, across), component % 3
        top, left = first + row * size, first + column * size
        kernel[top : top + size, left : left + size, color, channel] = 1 / image.gain
    return _Image(1.0, {0: 0, 1: 1, 2: 2})


def _part(image: _Image, size: int, index: int) -> _Image:
    """What of the image is in the ``index``-th part of ``size`` channels."""
    inside = {
        component: channel - index * size
        for component, channel in image.channels.items()
        if channel // size == index
    }
    return replace(image, channels=inside)


def _side_by_side(sources: list[_Image | None], widths: list[int]) -> _Image:
    """The image within a concat: parts of it, or the first whole one."""
    channels: dict[int, int] = {}
    for index, source in enumerate(sources):
        for component, channel in source.channels.items() if source else ():
            channels.setdefault(component, sum(widths[:index]) + channel)
    return replace(next(filter(None, sources)), channels=channels)
