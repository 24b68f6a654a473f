"""Convolutions trained as several branches, deployed as one: around PRPSR, ECBSR and SCSRN."""

from __future__ import annotations

from .blocks import Skip
from .builder import Nonlinearity
from .candidate import Candidate
from .convolutions import Branches
from .forms import Form, Stem
from .space import Trial

VERSION = 1

FORM = Form(
    activations=(Nonlinearity.RELU, Nonlinearity.PRELU),
    branches=(Branches.POINTWISE, Branches.EXPANDED),
    stems=(Stem.CONV3, Stem.CONV5),
    skips=(Skip.NONE, Skip.CONCAT_IMAGE),
    folding=True,
)


def sample(trial: Trial, scale: int = 3) -> Candidate:
    """A network for ``scale``, and how it is deployed."""
    return FORM.sample(trial, scale)
