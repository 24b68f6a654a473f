"""The space around ABPN: plain or grouped convolutions at low resolution, one depth_to_space.

A network has a stem (3x3, ReLU), a body in two halves with separate widths and numbers of groups,
and a tail that computes the pixels. A grouped layer is a grouped 3x3 convolution and a 1x1
convolution that mixes the channels, each with a ReLU, as in XLSR (arXiv:2105.10288). ABPN
(arXiv:2105.09750) is residual=anchor, depth=4, width 28 and one group in both halves, tail=double.
"""

from __future__ import annotations

from ..graph.builder import GraphBuilder
from ..graph.graph import Graph
from .asking import Trial

VERSION = 1

#: no residual; the repeated input added to the pixels (ABPN); the stem's features added to the
#: body's
RESIDUALS = ("none", "anchor", "feature")
DEPTHS = (1, 8)
WIDTHS = (8, 64)
WIDTH_STEP = 4
GROUPS = (1, 2, 4)
#: one convolution computes the pixels, or two with a ReLU between them (ABPN)
TAILS = ("single", "double")


def sample(trial: Trial, scale: int = 3) -> Graph:
    """Returns a network for ``scale``; with depth 1, there is no second half to sample."""
    residual = trial.suggest_categorical("residual", RESIDUALS)
    depth = trial.suggest_int("depth", *DEPTHS)
    first_half = -(-depth // 2)
    halves = [(1, first_half), (2, depth - first_half)] if depth > 1 else [(1, depth)]
    layers: list[tuple[int, int]] = []
    for half, count in halves:
        width = trial.suggest_int(f"width_{half}", *WIDTHS, step=WIDTH_STEP)
        groups = trial.suggest_categorical(f"groups_{half}", GROUPS)
        layers += [(width, groups)] * count
    tail = trial.suggest_categorical("tail", TAILS)
    return build(layers, scale, residual=residual, tail=tail)


def build(layers: list[tuple[int, int]], scale: int, *, residual: str, tail: str) -> Graph:
    """Returns the network with these body layers, each given as (width, number of groups)."""
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
