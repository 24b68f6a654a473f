"""The union of known architectures: every network of the zoo is a point of it.

Half of its networks are straight: a sequence of convolutions and a depth_to_space, which NPUs run
fastest and which are the only ones that can be folded. The other half has any form.
"""

from __future__ import annotations

from ..graph.builder import Nonlinearity
from ..graph.convolutions import Branches
from ..transforms.candidate import Candidate
from .asking import Trial
from .block_space import BlockSpace, ChannelMixer, Stem
from .blocks import BlockKind, Head, Skip

VERSION = 2

_ACTIVATIONS = (Nonlinearity.RELU, Nonlinearity.CLIP, Nonlinearity.PRELU, Nonlinearity.LEAKY)
STRAIGHT = BlockSpace(
    name="straight_",
    activations=_ACTIVATIONS,
    branches=tuple(Branches),
    stems=(Stem.CONV3, Stem.CONV5),
    blocks=(BlockKind.PLAIN, BlockKind.RESIDUAL),
    folding=True,
)
FREE = BlockSpace(
    name="free_",
    activations=(*_ACTIVATIONS, Nonlinearity.TANH),
    branches=tuple(Branches),
    strides=(1, 2),
    stems=tuple(Stem),
    mixes=tuple(ChannelMixer),
    blocks=tuple(BlockKind),
    skips=tuple(Skip),
    heads=tuple(Head),
)


def sample(trial: Trial, scale: int = 3) -> Candidate:
    """Returns a network for ``scale`` and its deployment."""
    form = {"straight": STRAIGHT, "free": FREE}[
        trial.suggest_categorical("form", ("straight", "free"))
    ]
    return form.sample(trial, scale)
