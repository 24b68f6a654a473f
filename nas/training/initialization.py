"""Initial weights: every network starts as nearest-neighbor upscaling and learns the details.

A plain network with random weights would spend a short training on learning to pass the image on,
and the ReLUs of a wide one die within the first steps. Therefore identity kernels carry the image
in a few channels from the input to the output (as in QuickSRNet, Berger et al., arXiv:2303.04336),
along the path with the fewest convolutions, and what is added to the image is 0 at first. All other
kernels are He-normal, so that features keep their magnitude through any number of convolutions.
They are smaller where their result is concatenated with the image, and at the end of residual
branches.
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

#: Factor of He-normal kernels that read the image while other convolutions carry it on: larger
#: features would take most of the INT8 range that they share with the image. Among 1, 1/2 and 1/4,
#: 1/2 gave XLSR and a network with a feature skip the best INT8 PSNR after 500 steps.
_SIDE_CONV_FACTOR = np.float32(0.5)
#: Factor of He-normal kernels that must be small but not 0, since no gradient passes a ReLU of 0.
#: After 500 steps and INT8 quantization, FastSR had 26.92 and 26.93 dB (two seeds) with this factor
#: at the ends of its residual branches, and 26.82 and 26.90 dB without it. XLSR, whose features are
#: concatenated with the image, had 26.87 and 26.82 dB with it, and 26.77 and 26.76 dB without it.
_SMALL_CONV_FACTOR = np.float32(0.1)
#: Factor of He-normal kernels without a ReLU behind them, which would halve the mean square.
_LINEAR_CONV_FACTOR = np.float32(0.5**0.5)
#: Factor of the He-normal kernels "expand" and "reduce" before and after a branch's middle kernel.
#: Adam moves every weight by the same step, and the step of one kernel is multiplied by the other
#: two in the product. After 400 steps, a plain network of 28 channels had 29.67 dB without
#: branches, and 27.21, 29.58 and 29.65 dB with factors of 0.3, 0.1 and 0.03.
_BRANCH_FACTOR = 0.03
#: Names of the variables of convolutions that are multiplied with features.
KERNELS = frozenset({"kernel", "pointwise", "expand", "middle", "reduce"})
#: Initial bias of transposed convolutions: the converter would drop a bias of 0.
_NONZERO_BIAS = np.float32(1e-4)
#: Input of a tanh for white; for black it is the negative. With n tanhs on the path it is divided
#: by the square root of n, so that all together distort the image as much as one would, by 12 grey
#: levels. INT8 has 256 levels for a tanh's -1..1: when the image used 32 of them, quantization
#: after 500 steps cost ESPCN 0.55 dB; with this value it costs 0.07 dB.
_TANH_INPUT_MAX = 0.85


@dataclass(frozen=True)
class _Image:
    """The input image as some channels of a tensor, whose values are image * gain + black.

    It has three components (RGB), or three for each pixel of a block made by space_to_depth.
    """

    gain: float
    #: channel of the tensor by component of the image
    channels: dict[int, int]
    #: number of components of the complete image
    components: int = 3
    #: value of black
    black: float = 0.0

    @property
    def is_complete(self) -> bool:
        """Whether the tensor holds all components of the image."""
        return len(self.channels) == self.components


def initial_parameters(graph: Graph, seed: int) -> dict[str, Array]:
    """Returns the initial variables of ``graph`` by "node/variable", for images of 0..1."""
    path = IdentityPath.find(graph)
    parameters, images = _parameters_along(graph, seed, path)
    image = images.get(graph.nodes[-1].name)
    if image is not None and image.is_complete:
        return parameters
    # The image cannot be carried to the output: the network starts with grey images.
    parameters, _ = _parameters_along(graph, seed, path.without_image)
    for name in path.pixel_convs[-1:]:
        if f"{name}/bias" in parameters:
            parameters[f"{name}/bias"] += 0.5
    return parameters


def _parameters_along(
    graph: Graph, seed: int, path: IdentityPath
) -> tuple[dict[str, Array], dict[str, _Image]]:
    """Returns all variables, the image carried along ``path``, and its place in each tensor."""
    random = np.random.default_rng(seed)
    side = graph.multiple * 8
    inferred = infer(graph, InputSpec(side, side))
    shapes = {INPUT: (side, side, 3)} | {name: f.shape for name, f in inferred.nodes.items()}
    images = {INPUT: _Image(1.0, {0: 0, 1: 1, 2: 2})}
    parameters: dict[str, Array] = {}
    for node in graph.nodes:
        inputs = tuple(shapes[name] for name in node.inputs)
        values = {
            name: _initial_value(node.operator, name, shape, random)
            for name, shape in node.operator.variables(inputs).items()
        }
        if "kernel" in values:
            values["kernel"] *= _kernel_factor(node, path)
            if _is_linear(node, graph):
                values["kernel"] *= _LINEAR_CONV_FACTOR
        if isinstance(node.operator, TransposedConv):
            values["bias"] += _NONZERO_BIAS
        if node.name in path.nodes:
            image = _carry_image(node, values, images, path)
            if image is not None:
                images[node.name] = image
        if isinstance(node.operator, Conv) and node.operator.branches is not Branches.NONE:
            # The merged kernel is to equal the initial kernel of a convolution without branches.
            values["kernel"] -= beside_kernel(node.operator, values, np.einsum)
        parameters |= {f"{node.name}/{name}": value for name, value in values.items()}
    return parameters, images


def _kernel_factor(node: Node, path: IdentityPath) -> np.float32:
    """Returns the factor by which a He-normal kernel is multiplied."""
    if node.name in path.zero_convs:
        return np.float32(0.0)
    if node.name in path.small_convs:
        return _SMALL_CONV_FACTOR
    return _SIDE_CONV_FACTOR if node.name in path.side_convs else np.float32(1.0)


def _is_linear(node: Node, graph: Graph) -> bool:
    """Returns whether only convolutions read the result, with no activation in between."""
    return node.operator.fused_activation is Activation.NONE and all(
        isinstance(reader.operator, Conv | DepthwiseConv) for reader in graph.readers(node.name)
    )


def _initial_value(
    operator: Operator, name: str, shape: tuple[int, ...], random: np.random.Generator
) -> Array:
    match name:
        case name if name in KERNELS:
            deviation = he_deviation(operator, shape)
            deviation *= _BRANCH_FACTOR if name in ("expand", "reduce") else 1.0
            return random.normal(0.0, deviation, shape).astype(np.float32)
        case "alpha":
            return np.full(shape, 0.25, np.float32)
    return np.zeros(shape, np.float32)


def he_deviation(operator: Operator, shape: tuple[int, ...]) -> float:
    """Returns the standard deviation of a kernel that keeps features' magnitude behind a ReLU.

    See He et al., "Delving deep into rectifiers", ICCV 2015, equation 10.
    """
    inputs = shape[:2] if isinstance(operator, DepthwiseConv) else shape[:3]
    return float(np.sqrt(2 / np.prod(inputs)))


def _carry_image(
    node: Node, values: dict[str, Array], images: dict[str, _Image], path: IdentityPath
) -> _Image | None:
    """Carries the image through ``node``, and returns its place in the result.

    Writes identity kernels into ``values`` if ``node`` is a convolution. Returns None if the result
    does not hold the image in known channels.
    """
    sources = [images.get(name) if name in path.nodes else None for name in node.inputs]
    present = [source for source in sources if source is not None]
    if present and "kernel" in values:
        return _write_conv(node, values, present[0], path)
    return _image_after(node, sources, present, path) if present else None


def _image_after(
    node: Node, sources: list[_Image | None], present: list[_Image], path: IdentityPath
) -> _Image | None:
    """Returns the place of the image in the result of an operator without a kernel.

    ``sources`` are the places in all inputs, ``present`` are those that are not None.
    """
    match node.operator:
        case SpaceToDepth(block=block):
            count = 3 * block**2
            return _Image(1.0, {index: index for index in range(count)}, count)
        case Split(index=index):
            return _image_part(present[0], path.channels[node.name], index)
        case Concat() if node.name in path.channels and set(node.inputs) != {INPUT}:
            return _concatenated_image(sources, [path.channels[name] for name in node.inputs])
    if len(present) > 1 and all(source.channels == present[0].channels for source in present):
        gain = sum(source.gain for source in present)
        black = sum(source.black for source in present)
        return replace(present[0], gain=gain, black=black)
    return present[0] if len(set(node.inputs)) == 1 or len(present) == 1 else None


def _write_conv(
    node: Node, values: dict[str, Array], image: _Image, path: IdentityPath
) -> _Image | None:
    """Writes the identity kernels and biases of a convolution that carries the image.

    Returns the place of the image in the result, or behind the tanh that follows; None if the
    convolution cannot carry it.
    """
    kernel, black = values["kernel"], image.black / image.gain
    match node.operator:
        case Conv() if node.name in path.pixel_convs:
            result = _write_pixels(kernel, image)
        case Conv() as conv:
            result = _write_identity(kernel, conv.groups, image)
        case TransposedConv() as conv:
            result = _write_upscaling(kernel, conv.stride, image)
        case _:
            result = _write_depthwise(kernel, image)
    if result is None:
        return None
    if "bias" in values:
        outputs = slice(None) if node.name in path.pixel_convs else list(result.channels.values())
        values["bias"][outputs] -= black
        black = 0.0
    result = replace(result, black=black)
    if node.name not in path.convs_before_tanh:
        return result
    high = _TANH_INPUT_MAX / math.sqrt(len(path.convs_before_tanh))
    return _scale_for_tanh(node, values, result, high)


def _scale_for_tanh(node: Node, values: dict[str, Array], image: _Image, high: float) -> _Image:
    """Scales a convolution so that white becomes ``high``; returns the image behind the tanh.

    Black becomes -``high`` if the convolution has a bias and no activation, else 0: around 0 a tanh
    distorts least.
    """
    kernel, carriers = values["kernel"], list(image.channels.values())
    can_be_negative = "bias" in values and node.operator.fused_activation is Activation.NONE
    low = -high if can_be_negative else 0.0
    kernel[..., carriers] *= high - low
    if "bias" in values:
        values["bias"][carriers] *= high - low
        values["bias"][carriers] += low
    black = math.tanh(low + image.black * (high - low))
    white = math.tanh(low + (image.black + image.gain) * (high - low))
    return replace(image, gain=white - black, black=black)


def _write_identity(kernel: Array, groups: int, image: _Image) -> _Image | None:
    """Writes identity kernels, one output channel for each component of the image.

    Returns None if a group has too few outputs. An output reads only the inputs of its own group.
    Without groups, the components are spread evenly over the outputs, so that a later grouped
    convolution finds them in different groups.
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
    """Writes identity kernels for the channels of the image."""
    center = kernel.shape[0] // 2
    for channel in image.channels.values():
        kernel[:, :, channel] = 0.0
        kernel[center, center, channel] = 1 / image.gain
    return replace(image, gain=1.0, black=0.0)


def _write_pixels(kernel: Array, image: _Image) -> _Image | None:
    """Writes kernels that copy the nearest input pixel to each pixel of depth_to_space's block.

    Returns None if a component of the image is missing.
    """
    if not image.is_complete:
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


def _write_upscaling(kernel: Array, stride: int, image: _Image) -> _Image | None:
    """Writes transposed kernels that repeat each component in its part of ``stride``^2 pixels.

    Returns None if a component of the image is missing or the kernel is too small.
    """
    if not image.is_complete or kernel.shape[0] < stride or kernel.shape[2] < 3:
        return None
    across = round((image.components / 3) ** 0.5)
    first, size = (kernel.shape[0] - stride) // 2, stride // across
    kernel[...] = 0.0
    for component, channel in image.channels.items():
        (row, column), color = divmod(component // 3, across), component % 3
        top, left = first + row * size, first + column * size
        kernel[top : top + size, left : left + size, color, channel] = 1 / image.gain
    return _Image(1.0, {0: 0, 1: 1, 2: 2})


def _image_part(image: _Image, size: int, index: int) -> _Image:
    """Returns the components of the image in the ``index``-th part of ``size`` channels."""
    inside = {
        component: channel - index * size
        for component, channel in image.channels.items()
        if channel // size == index
    }
    return replace(image, channels=inside)


def _concatenated_image(sources: list[_Image | None], widths: list[int]) -> _Image:
    """Returns the image in a concatenation: each component from the first source that has it."""
    channels: dict[int, int] = {}
    for index, source in enumerate(sources):
        for component, channel in source.channels.items() if source else ():
            channels.setdefault(component, sum(widths[:index]) + channel)
    return replace(next(filter(None, sources)), channels=channels)
