"""Re-parameterization: a convolution trained as several branches is one convolution.

Without an activation between them, branches add up to one kernel (Ding et al., RepVGG,
arXiv:2101.03697; Zhang et al., ECBSR, ACM MM 2021). It is computed from them at every training
step, so that a training costs about as much as without, and what is deployed is what was trained.
Biases within a branch would say nothing that the convolution's own does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ..graph.convolutions import Branches, Conv

Tensor = TypeVar("Tensor")


def merged_kernel(
    conv: Conv, values: Mapping[str, Any], einsum: Callable[..., Tensor]
) -> Tensor | Any:
    """The kernel (k, k, in, filters) that ``conv`` with these variables amounts to.

    ``einsum`` is that of the library whose arrays ``values`` are.
    """
    if conv.branches is Branches.NONE:
        return values["kernel"]
    return values["kernel"] + beside_kernel(conv, values, einsum)


def beside_kernel(
    conv: Conv, values: Mapping[str, Any], einsum: Callable[..., Tensor]
) -> Tensor | Any:
    """What the branches add to the convolution's own kernel."""
    import numpy as np  # not at import: commands that need no weights start without it

    channels, filters = (int(size) for size in values["kernel"].shape[2:])
    center = np.zeros((conv.kernel, conv.kernel), np.float32)
    center[conv.kernel // 2, conv.kernel // 2] = 1.0
    if conv.branches is Branches.POINTWISE:
        added = einsum("hw,io->hwio", center, values["pointwise"][0, 0])
    else:
        expand, reduce = values["expand"][0, 0], values["reduce"][0, 0]
        # Two by two: NumPy takes all three at once by a loop over every index of them.
        added = einsum("hwin,no->hwio", einsum("im,hwmn->hwin", expand, values["middle"]), reduce)
    if channels == filters:
        added = added + np.einsum("hw,io->hwio", center, np.eye(filters, dtype=np.float32))
    return added
