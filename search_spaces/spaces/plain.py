"""Plain convolutions with every activation, residual and head: ESPCN, FSRCNN, QuickSRNet, ETDS."""

from __future__ import annotations

from ..graph.builder import Nonlinearity
from ..transforms.candidate import Candidate
from .asking import Trial
from .block_space import BlockSpace, Stem
from .blocks import Head

VERSION = 1

CHOICES = BlockSpace(
    activations=tuple(choice for choice in Nonlinearity if choice is not Nonlinearity.NONE),
    stems=(Stem.CONV3, Stem.CONV5),
    heads=tuple(Head),
    folding=True,
)


def sample(trial: Trial, scale: int = 3) -> Candidate:
    """Returns a network for ``scale`` and its deployment."""
    return CHOICES.sample(trial, scale)
