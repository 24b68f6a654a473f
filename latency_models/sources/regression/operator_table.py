"""Kernels of many networks as columns, so that arithmetic over them is vectorized."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from search_spaces import LoweredOperator

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class OperatorTable:
    """One row an operator; float64 columns of shape (operators,), bytes as INT8."""

    #: number of networks; ``network`` says of which of them an operator is, in order
    networks: int
    network: Integers
    kind: npt.NDArray[np.str_]
    macs: Floats
    window: Floats
    groups: Floats
    pixels_in: Floats
    pixels_out: Floats
    channels_in: Floats
    channels_out: Floats
    inputs: Floats
    bytes_in: Floats
    bytes_out: Floats
    #: bytes of inputs that no operator writes in place: the image, and all but one of repeated ones
    bytes_repeated: Floats
    weight_bytes: Floats
    stride: Floats
    #: operators that read the output, and how many places later the last of them comes
    readers: Floats
    reach: Floats
    #: how many places earlier the oldest of its inputs was made
    span: Floats
    #: bytes made earlier that a later operator still waits for
    bytes_live: Floats
    #: bytes of the image, while a later operator still waits for it
    image_live: Floats
    #: parts of a concatenation or a split that begin inside a block of channels
    offsets: Floats

    @classmethod
    def of(cls, networks: Iterable[Sequence[LoweredOperator]]) -> OperatorTable:
        """The operators of ``networks`` one after another."""
        import numpy as np

        numbers, kinds, count = [], [], 0
        # One flat list: a million small ones would keep the garbage collector busy.
        figures: list[float] = []
        for count, operators in enumerate(networks, 1):
            numbers += [count - 1] * len(operators)
            kinds += [operator.kind for operator in operators]
            figures += _figures(operators)
        columns: Any = np.array(figures, dtype=np.float64).reshape(-1, _COLUMNS).T
        return cls(count, np.array(numbers, dtype=np.int64), np.array(kinds, dtype=str), *columns)

    def __len__(self) -> int:
        return len(self.network)

    def only(self, networks: Sequence[int]) -> OperatorTable:
        """The operators of some networks, numbered anew in their order, which must be rising."""
        import numpy as np

        kept = np.isin(self.network, networks)
        columns = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        chosen = {name: column[kept] for name, column in columns.items() if name != "networks"}
        chosen["network"] = np.searchsorted(networks, chosen["network"])
        return OperatorTable(networks=len(networks), **chosen)

    @property
    def image_pixels(self) -> Floats:
        """(networks,): pixels that the first operator of each reads."""
        import numpy as np

        _, first = np.unique(self.network, return_index=True)
        return self.pixels_in[first]

    def per_network(self, values: Floats) -> Floats:
        """Sums of ``values`` (operators, ...) over each network's operators: (networks, ...)."""
        import numpy as np

        sums = np.zeros((self.networks, *values.shape[1:]))
        np.add.at(sums, self.network, values)
        return sums


#: NPUs keep channels in blocks of this many.
_BLOCK = 16
#: Those from ``macs`` on.
_COLUMNS = len(dataclasses.fields(OperatorTable)) - 3


def _figures(operators: Sequence[LoweredOperator]) -> list[float]:
    """Each operator's numbers, in the order of the columns, one operator after another."""
    made = {tensor.name: index for index, k in enumerate(operators) for tensor in k.outputs}
    read: dict[str, list[int]] = {}
    images: dict[str, int] = {}
    for index, operator in enumerate(operators):
        for tensor in operator.inputs:
            read.setdefault(tensor.name, []).append(index)
            if tensor.name not in made:
                images[tensor.name] = tensor.bytes
    live, image_live = 0, sum(images.values())
    #: bytes that nobody waits for any more from an operator on: made by operators, and of the image
    done, image_done = [0] * len(operators), [0] * len(operators)
    for name, size in images.items():
        image_done[read[name][-1]] += size
    figures: list[float] = []
    for index, operator in enumerate(operators):
        live -= done[index]
        image_live -= image_done[index]
        first = operator.inputs[0].shape if operator.inputs else operator.outputs[0].shape
        out = operator.outputs[0].shape
        bytes_out = sum([tensor.bytes for tensor in operator.outputs])
        places = [place for tensor in operator.outputs for place in read.get(tensor.name, ())]
        last = max(places, default=index)
        figures += (
            operator.macs, operator.window, operator.groups, first[0] * first[1], out[0] * out[1],
            sum([tensor.shape[2] for tensor in operator.inputs]),
            sum([tensor.shape[2] for tensor in operator.outputs]),
            len(operator.inputs), sum([tensor.bytes for tensor in operator.inputs]), bytes_out,
            _repeated(operator, made), operator.weight_bytes, operator.stride, len(places),
            last - index,
            max([index - made.get(tensor.name, -1) for tensor in operator.inputs], default=0),
            live, image_live, _offsets(operator),
        )  # fmt: skip
        if last > index:
            live += bytes_out
            done[last] += bytes_out
    return figures


def _offsets(operator: LoweredOperator) -> int:
    """Parts that do not begin with a block of ``_BLOCK`` channels."""
    if operator.kind not in ("CONCATENATION", "SPLIT"):
        return 0
    parts = operator.inputs if len(operator.inputs) > 1 else operator.outputs
    begins = itertools.accumulate(tensor.shape[2] for tensor in parts[:-1])
    return sum(begin % _BLOCK != 0 for begin in begins)


def _repeated(operator: LoweredOperator, made: dict[str, int]) -> int:
    """Bytes of inputs that nobody writes in place."""
    seen: set[str] = set()
    repeated = 0
    for tensor in operator.inputs:
        if tensor.name in seen or tensor.name not in made:
            repeated += tensor.bytes
        seen.add(tensor.name)
    return repeated
