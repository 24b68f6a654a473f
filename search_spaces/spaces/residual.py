"""Residual blocks, with spatial attention or without: around TinySRNet, FastSR and EDSR."""

from __future__ import annotations

from ..transforms.candidate import Candidate
from .asking import Trial
from .block_space import BlockSpace, Tail
from .blocks import BlockKind, Skip

VERSION = 1

CHOICES = BlockSpace(
    strides=(1, 2),
    blocks=(BlockKind.RESIDUAL, BlockKind.ATTENTION),
    skips=(Skip.NONE, Skip.ADD, Skip.GATHER),
    tails=(Tail.NONE, Tail.PIXELS, Tail.WIDE),
    folding=True,
    channel_steps=(1,),
)


def sample(trial: Trial, scale: int = 3) -> Candidate:
    """Returns a network for ``scale`` and its deployment."""
    return CHOICES.sample(trial, scale)
