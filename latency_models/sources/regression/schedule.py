"""The critical path of a network on engines that work in parallel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from search_spaces import LoweredOperator

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]


def critical_path(
    operators: Sequence[LoweredOperator], engines: Sequence[str], ms: Sequence[float]
) -> list[bool]:
    """Returns for each operator whether it is on the critical path.

    The times on the critical path add up to that of the network.

    Each engine runs its operators in order, each as soon as its inputs are ready.
    """
    end: list[float] = []
    # For each operator: the predecessor that ends last; None if it starts at once.
    awaited: list[int | None] = []
    maker: dict[str, int] = {}
    last_on: dict[str, int] = {}
    for index, (operator, engine, time) in enumerate(zip(operators, engines, ms, strict=True)):
        before = {maker[tensor.name] for tensor in operator.inputs if tensor.name in maker}
        if engine in last_on:
            before.add(last_on[engine])
        latest = max(before, key=lambda earlier: (end[earlier], earlier), default=None)
        awaited.append(latest)
        end.append(time + (end[latest] if latest is not None else 0.0))
        last_on[engine] = index
        maker.update((tensor.name, index) for tensor in operator.outputs)
    on_path = [False] * len(end)
    step = max(range(len(end)), key=end.__getitem__, default=None)
    while step is not None:
        on_path[step] = True
        step = awaited[step]
    return on_path
