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
    if not _carries_image(graph):
        parameters, carried = _parameters(graph, seed, _main_path(graph))
        if carried:
            return parameters
    return _parameters(graph, seed, frozenset())[0]


def _parameters(graph: Graph, seed: int, path: frozenset[str]) -> tuple[dict[str, Array], bool]:
    """All values, the image carried along ``path``; and whether it gets to the end of it."""
    random = np.random.default_rng(seed)
    side = graph.multiple * 8
    figures = infer(graph, InputSpec(side, side))
    shapes = {INPUT: (side, side, 3)} | {name: f.shape for name, f in figures.nodes.items()}
    images = {INPUT: _Image(1.0, (0, 1, 2))}
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
            image = _pass_image_on(node, values, images, last=node.name == last)
            if image is not None:
                images[node.name] = image
        elif node.name == last and not _carries_image(graph):
            values["bias"] += 0.5  # grey
        parameters |= {f"{node.name}/{name}": value for name, value in values.items()}
    return parameters, last in images


def _pass_image_on(
    node: Node, values: dict[str, Array], images: dict[str, _Image], *, last: bool
) -> _Image | None:
    """Writes identity kernels into a convolution's values; where the image is behind ``node``."""
    sources = [images.get(name) for name in node.inputs]
    image = sources[0]
    match node.operator:
        case Conv(stride=1) as conv if image is not None:
            return _write_identity(values["kernel"], conv.groups, image, last=last)
        case Add() if image is not None:
            there = [s.gain for s in sources if s is not None and s.channels == image.channels]
            return _Image(sum(there), image.channels)
        case Concat() | Relu() | Clip():
            return image
    return None


def _write_identity(kernel: Array, groups: int, image: _Image, *, last: bool) -> _Image | None:
    """Lets an output channel pass on each channel of the image; of the last conv, all do.

    None if a group has too few outputs. An output sees the inputs of its own group only: so the
    three are kept apart where any output will do.
    """
    centre, inputs, outputs = kernel.shape[0] // 2, kernel.shape[2], kernel.shape[3]
    if last:
        carriers = list(range(outputs))
    elif groups == 1:
        carriers = [0, outputs // 3, 2 * outputs // 3]
    else:
        size = outputs // groups
        free = [iter(range(group * size, (group + 1) * size)) for group in range(groups)]
        carriers = [next(free[source // inputs], -1) for source in image.channels]
    if len(set(carriers)) < 3 or -1 in carriers:
        return None
    for index, carrier in enumerate(carriers):
        kernel[..., carrier] = 0.0
        kernel[centre, centre, image.channels[index % 3] % inputs, carrier] = 1 / image.gain
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


def _main_path(graph: Graph) -> frozenset[str]:
    """Nodes from the input to the output by way of everyone's first input."""
    by_name, path = {node.name: node for node in graph.nodes}, set[str]()
    name = graph.nodes[-1].name
    while name != INPUT:
        path.add(name)
        name = by_name[name].inputs[0]
    return frozenset(path)


def _added_convs(graph: Graph, path: frozenset[str]) -> frozenset[str]:
    """Convolutions beside the main path whose result is added to it: they begin at zero."""
    convs = frozenset(node.name for node in graph.nodes if isinstance(node.operator, Conv))
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
