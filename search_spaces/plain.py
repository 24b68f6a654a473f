"""Plain convolutions with every activation, residual and head: ESPCN, FSRCNN, QuickSRNet, ETDS."""

from __future__ import annotations

from .blocks import Head
from .builder import Nonlinearity
from .candidate import Candidate
from .forms import Form, Stem
from .space import Trial

VERSION = 1

FORM = Form(
    activations=tuple(choice for choice in Nonlinearity if choice is not Nonlinearity.NONE),
    stems=(Stem.CONV3, Stem.CONV5),
    heads=tuple(Head),
    folding=True,
)


def sample(trial: Trial, scale: int = 3) -> Candidate:
    """A network for ``scale``, and how it is deployed."""
    return FORM.sample(trial, scale)
