"""Re-parameterization: merges the branches with which a convolution is trained into one kernel.

Without activations, branches are linear and add up to one kernel (Ding et al., RepVGG,
arXiv:2101.03697; Zhang et al., ECBSR, ACM MM 2021). The kernel is computed from the branches at
every training step, so that training costs about as much as without branches, and the deployed
network equals the trained one. Branches have no biases, since the convolution's bias suffices.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ..graph.convolutions import Branches, Conv

Tensor = TypeVar("Tensor")


def merged_kernel(
    conv: Conv, values: Mapping[str, Any], einsum: Callable[..., Tensor]
) -> Tensor | Any:
    """Returns the kernel (k, k, in, filters) of ``conv`` with its branches merged.

    ``values`` are the variables of ``conv`` by name; ``einsum`` is the function of their library.
    """
    if conv.branches is Branches.NONE:
        return values["kernel"]
    return values["kernel"] + beside_kernel(conv, values, einsum)


def beside_kernel(
    conv: Conv, values: Mapping[str, Any], einsum: Callable[..., Tensor]
) -> Tensor | Any:
    """Returns the summed kernels of the branches, to be added to the convolution's kernel."""
    import numpy as np  # not at import: commands that need no weights start without it

    channels, filters = (int(size) for size in values["kernel"].shape[2:])
    center = np.zeros((conv.kernel, conv.kernel), np.float32)
    center[conv.kernel // 2, conv.kernel // 2] = 1.0
    if conv.branches is Branches.POINTWISE:
        added = einsum("hw,io->hwio", center, values["pointwise"][0, 0])
    else:
        expand, reduce = values["expand"][0, 0], values["reduce"][0, 0]
        # Two products of two factors: NumPy computes a product of three in a slow nested loop.
        added = einsum("hwin,no->hwio", einsum("im,hwmn->hwin", expand, values["middle"]), reduce)
    if channels == filters:
        added = added + np.einsum("hw,io->hwio", center, np.eye(filters, dtype=np.float32))
    return added
