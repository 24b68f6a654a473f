"""The space around ABPN: plain or grouped convolutions at low resolution, one depth_to_space.

A stem (3x3, ReLU) and a body in two halves, each of a width and a number of groups of its own; then
a tail that makes the pixels. A grouped layer is a grouped 3x3 and a 1x1 that mixes the channels,
each with a ReLU, as in XLSR (arXiv:2105.10288). ABPN (arXiv:2105.09750) is residual=anchor,
depth=4, width 28 and one group in both halves, tail=double.
"""

from __future__ import annotations

from ..graph.builder import GraphBuilder
from ..graph.graph import Graph
from .asking import Trial

VERSION = 1

#: nothing; the input, repeated, upon the pixels (ABPN); the stem's features upon the body's
RESIDUALS = ("none", "anchor", "feature")
DEPTHS = (1, 8)
WIDTHS = (8, 64)
WIDTH_STEP = 4
GROUPS = (1, 2, 4)
#: one conv makes the pixels, or one with a ReLU and another (ABPN)
TAILS = ("single", "double")


def sample(trial: Trial, scale: int = 3) -> Graph:
    """A network for ``scale``; of depth 1 there is no second half, and none is asked for."""
    residual = trial.suggest_categorical("residual", RESIDUALS)
    depth = trial.suggest_int("depth", *DEPTHS)
    first = -(-depth // 2)
    halves = [(1, first), (2, depth - first)] if depth > 1 else [(1, depth)]
    layers: list[tuple[int, int]] = []
    for half, count in halves:
        width = trial.suggest_int(f"width_{half}", *WIDTHS, step=WIDTH_STEP)
        groups = trial.suggest_categorical(f"groups_{half}", GROUPS)
        layers += [(width, groups)] * count
    tail = trial.suggest_categorical("tail", TAILS)
    return build(layers, scale, residual=residual, tail=tail)


def build(layers: list[tuple[int, int]], scale: int, *, residual: str, tail: str) -> Graph:
    """The network of these body layers, each a width and a number of groups."""
    net = GraphBuilder()
    pixels = 3 * scale**2
    anchor = net.concat(*[net.input] * scale**2) if residual == "anchor" else ""
    stem_width, body_width = layers[0][0], layers[-1][0]
    stem = features = net.conv(net.input, stem_width, relu=True)
    for width, groups in layers:
        features = net.conv(features, width, groups=groups, relu=True)
        if groups > 1:
            features = net.conv(features, width, kernel=1, relu=True)
    if residual == "feature":
        skip = stem if stem_width == body_width else net.conv(stem, body_width, kernel=1)
        features = net.add(features, skip)
    if tail == "double":
        features = net.conv(features, pixels, relu=True)
    features = net.conv(features, pixels)
    return net.image(net.add(features, anchor) if anchor else features, scale)
