"""First weights: every network starts as nearest-neighbour enlargement, and learns what is missing.

Plain nets that must first learn to carry the image spend a short training on that alone, and wide
ones started at random lose all their ReLUs within the first steps. So wherever no addition carries
the image, three channels of the convolutions on the main path do, by identity kernels (as in
QuickSRNet, Berger et al., arXiv:2303.04336); everything else is He-normal, and the last convolution
adds nothing at first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from search_spaces import (
    INPUT,
    Add,
    Clip,
    Concat,
    Conv,
    DepthToSpace,
    Graph,
    InputSpec,
    Node,
    Relu,
    Resize,
    Tile,
    TransposedConv,
    infer,
)

Array = npt.NDArray[np.float32]

#: Of He-normal, beside channels that carry the image: larger features take most of the INT8 range
#: that they share with it. Of 1, 1/2 and 1/4, this gave XLSR and a net with a feature skip the best
#: INT8 PSNR after 500 steps.
_BESIDE_IMAGE = np.float32(0.5)


@dataclass(frozen=True)
class _Image:
    """The image within a tensor: three of its channels, multiplied by ``gain``."""

    gain: float
    channels: tuple[int, int, int]


def initial_parameters(graph: Graph, seed: int) -> dict[str, Array]:
    """Every variable of ``graph`` by "node/variable", normalised to images of 0..1."""
    random = np.random.default_rng(seed)
    side = graph.multiple * 8
    figures = infer(graph, InputSpec(side, side))
    shapes = {INPUT: (side, side, 3)} | {name: f.shape for name, f in figures.nodes.items()}
    images = {INPUT: _Image(1.0, (0, 1, 2))}
    path = set() if _carries_image(graph) else _main_path(graph)
    last, added = _last_conv(graph), _added_convs(graph, path)
    parameters: dict[str, Array] = {}
    for node in graph.nodes:
        inputs = tuple(shapes[name] for name in node.inputs)
        values = {
            name: _random_value(name, shape, random)
            for name, shape in node.operator.variables(inputs).items()
        }
        if node.name == last or node.name in added:
            values["kernel"] *= 0.0
        elif path and "kernel" in values:
            values["kernel"] *= _BESIDE_IMAGE
        if node.name in path:
            image = _begin_with_image(node, values, images, last=node.name == last)
            if image is not None:
                images[node.name] = image
        parameters |= {f"{node.name}/{name}": value for name, value in values.items()}
    return parameters


def _begin_with_image(
    node: Node, values: dict[str, Array], images: dict[str, _Image], *, last: bool
) -> _Image | None:
    """Writes identity kernels into a convolution's values; where the image is behind ``node``."""
    sources = [images.get(name) for name in node.inputs]
    image = sources[0]
    match node.operator:
        case Conv(stride=1) as conv if image is not None and conv.filters >= 3 * conv.groups:
            return _write_identity(values["kernel"], conv.groups, image, last=last)
        case Conv() | TransposedConv() if last:
            values["bias"] += 0.5  # grey, where the image is lost
            return None
        case Add() if image is not None:
            there = [s.gain for s in sources if s is not None and s.channels == image.channels]
            return _Image(sum(there), image.channels)
        case Concat() | Relu() | Clip():
            return image
    return None


def _write_identity(kernel: Array, groups: int, image: _Image, *, last: bool) -> _Image:
    """Lets an output channel pass on each channel of the image; of the last conv, all do."""
    centre, per_group, outputs = kernel.shape[0] // 2, kernel.shape[2], kernel.shape[3] // groups
    if last:
        for channel in range(kernel.shape[3]):
            kernel[centre, centre, image.channels[channel % 3] % per_group, channel] = (
                1 / image.gain
            )
        return image
    carriers = []
    for index, source in enumerate(image.channels):
        # An output sees its own group's inputs only.
        carrier = source // per_group * outputs + index
        kernel[..., carrier] = 0.0
        kernel[centre, centre, source % per_group, carrier] = 1 / image.gain
        carriers.append(carrier)
    return _Image(1.0, (carriers[0], carriers[1], carriers[2]))


def _random_value(name: str, shape: tuple[int, ...], random: np.random.Generator) -> Array:
    match name:
        case "kernel":
            fan_in = int(np.prod(shape[:3]))
            return random.normal(0.0, np.sqrt(2 / fan_in), shape).astype(np.float32)
        case "alpha":
            return np.full(shape, 0.25, np.float32)
    return np.zeros(shape, np.float32)


def _last_conv(graph: Graph) -> str:
    """The last node that owns a kernel."""
    convs = [n.name for n in graph.nodes if isinstance(n.operator, Conv | TransposedConv)]
    return convs[-1] if convs else ""


def _main_path(graph: Graph) -> set[str]:
    """Nodes from the input to the output by way of everyone's first input."""
    by_name, path = {node.name: node for node in graph.nodes}, set()
    name = graph.nodes[-1].name
    while name != INPUT:
        path.add(name)
        name = by_name[name].inputs[0]
    return path


def _added_convs(graph: Graph, path: set[str]) -> set[str]:
    """Convolutions beside the main path whose result is added to it: they begin at zero."""
    convs = {node.name for node in graph.nodes if isinstance(node.operator, Conv)}
    sums = [node for node in graph.nodes if node.name in path and isinstance(node.operator, Add)]
    return (convs & {name for node in sums for name in node.inputs}) - path


def _carries_image(graph: Graph) -> bool:
    """Does the image reach the output by an addition that no convolution stands before?"""
    image = {INPUT}
    for node in graph.nodes:
        if isinstance(node.operator, Add | Concat | Resize | Tile | DepthToSpace | Clip):
            some = [name in image for name in node.inputs]
            if any(some) if isinstance(node.operator, Add) else all(some):
                image.add(node.name)
    return graph.nodes[-1].name in image
