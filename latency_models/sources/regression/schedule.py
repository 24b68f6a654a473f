"""How operators' times become a network's: one after another, or engines side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from search_spaces import LoweredOperator

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]


def critical(
    operators: Sequence[LoweredOperator], engines: Sequence[str], ms: Sequence[float]
) -> list[bool]:
    """Which operators the end waits for, if each engine takes its own in order, as they get ready.

    Their times add up to the network's; the others are hidden beside them.
    """
    end: list[float] = []
    #: the operator whose end lets this one start
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
