"""Convolutions trained as several branches, deployed as one: around PRPSR, ECBSR and SCSRN."""

from __future__ import annotations

from ..graph.builder import Nonlinearity
from ..graph.convolutions import Branches
from ..transforms.candidate import Candidate
from .asking import Trial
from .block_space import BlockSpace, Stem
from .blocks import Skip

VERSION = 1

CHOICES = BlockSpace(
    activations=(Nonlinearity.RELU, Nonlinearity.PRELU),
    branches=(Branches.POINTWISE, Branches.EXPANDED),
    stems=(Stem.CONV3, Stem.CONV5),
    skips=(Skip.NONE, Skip.CONCAT_IMAGE),
    folding=True,
)


def sample(trial: Trial, scale: int = 3) -> Candidate:
    """Returns a network for ``scale`` and its deployment."""
    return CHOICES.sample(trial, scale)
