"""Grouped and depthwise convolutions, mixed by convolutions 1x1: the space around XLSR."""

from __future__ import annotations

from ..transforms.candidate import Candidate
from .asking import Trial
from .block_space import BlockSpace, ChannelMixer, Stem
from .blocks import BlockKind, Residual, Skip

VERSION = 1

CHOICES = BlockSpace(
    stems=(Stem.CONV3, Stem.PARALLEL),
    mixes=tuple(ChannelMixer),
    blocks=(BlockKind.GROUPED, BlockKind.GROUPED_SPLIT, BlockKind.SEPARABLE),
    skips=(Skip.NONE, Skip.ADD, Skip.CONCAT_CONV),
    residuals=(Residual.NONE, Residual.ANCHOR, Residual.NEAREST_CONV),
    channel_steps=(1,),
)


def sample(trial: Trial, scale: int = 3) -> Candidate:
    """Returns a network for ``scale`` and its deployment."""
    return CHOICES.sample(trial, scale)
