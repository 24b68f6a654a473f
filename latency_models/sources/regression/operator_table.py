"""Kernels of many networks as columns, so that arithmetic over them is vectorized."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from search_spaces import LoweredOperator

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Integers = npt.NDArray[np.int64]
    Mask = npt.NDArray[np.bool_]


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
    width_in: Floats
    width_out: Floats
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
    #: 1: the first input, another one, the first output lies pixel by pixel and not in blocks of
    #: channels, because somebody writes or reads a part of it
    linear_in: Floats
    linear_beside: Floats
    linear_out: Floats
    #: 1: reads what a convolution makes for it alone, so that both can run as one
    behind_convolution: Floats
    #: bytes of inputs that no convolution makes for it alone
    bytes_beside: Floats
    #: 1: a convolution whose result is added to a larger one's, so that it need not be written
    joined: Floats
    #: 1: reads the image or makes the network's output
    at_end: Floats

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

    def is_one_of(self, kinds: Collection[str]) -> Mask:
        """(operators,): is its kind among these?"""
        import numpy as np

        names, places = self.kinds
        return np.array([name in kinds for name in names], dtype=bool)[places]

    @cached_property
    def padded_bytes_in(self) -> Floats:
        """(operators,): of the first input, its channels in whole blocks."""
        return self.pixels_in * padded_channels(self.channels_in)

    @cached_property
    def padded_bytes_out(self) -> Floats:
        """(operators,): of the first output, its channels in whole blocks."""
        return self.pixels_out * padded_channels(self.channels_out)

    @cached_property
    def kinds(self) -> tuple[tuple[str, ...], Integers]:
        """The kinds of all, in the order of their names, and each operator's among them."""
        import numpy as np

        kinds = self.kind.tolist()
        names = tuple(sorted(set(kinds)))
        place = {name: index for index, name in enumerate(names)}
        return names, np.fromiter(map(place.__getitem__, kinds), np.int64, len(kinds))

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

        numbers, first = np.unique(self.network, return_index=True)
        sums = np.zeros((self.networks, *values.shape[1:]))
        if len(first):
            sums[numbers] = np.add.reduceat(values, first, axis=0)
        return sums


#: NPUs keep channels in blocks of this many.
_BLOCK = 16
CONVOLUTIONS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV"})
#: Bytes stay where they are, in another order than in blocks; parts are written or read in place.
_RESHAPING = frozenset({"RESHAPE", "DEPTH_TO_SPACE", "SPACE_TO_DEPTH", "STRIDED_SLICE"})
_PARTED = frozenset({"CONCATENATION", "SPLIT"})


def padded_channels(channels: Floats) -> Floats:
    """As many as the blocks hold that they take."""
    import numpy as np

    return np.ceil(channels / _BLOCK) * _BLOCK


#: Those from ``macs`` on.
_COLUMNS = len(dataclasses.fields(OperatorTable)) - 3


def _figures(operators: Sequence[LoweredOperator]) -> list[float]:
    """Each operator's numbers, in the order of the columns, one operator after another.

    Thousands of networks are read at once: each tensor is looked at as seldom as can be.
    """
    made: dict[str, int] = {}
    read: dict[str, list[int]] = {}
    images: dict[str, int] = {}
    for index, operator in enumerate(operators):
        for tensor in operator.outputs:
            made[tensor.name] = index
        for tensor in operator.inputs:
            if tensor.name in read:
                read[tensor.name].append(index)
            else:
                read[tensor.name] = [index]
                if tensor.name not in made:
                    images[tensor.name] = tensor.bytes
    live, image_live = 0, sum(images.values())
    #: bytes that nobody waits for any more from an operator on: made by operators, and of the image
    done, image_done = [0] * len(operators), [0] * len(operators)
    for name, size in images.items():
        image_done[read[name][-1]] += size
    #: tensors that a convolution makes for one reader, with that convolution's place
    alone = {
        tensor.name: index
        for index, operator in enumerate(operators)
        if operator.kind in CONVOLUTIONS
        for tensor in operator.outputs
        if len(read.get(tensor.name, ())) == 1
    }
    joined = _joined(operators, alone)
    linear = _linear(operators, images, read)
    figures: list[float] = []
    for index, operator in enumerate(operators):
        live -= done[index]
        image_live -= image_done[index]
        inner, bytes_in, repeated, beside, oldest = _of_inputs(operator, index, made, alone)
        outer = bytes_out = readers = 0
        last = index
        for tensor in operator.outputs:
            outer += tensor.shape[2]
            bytes_out += tensor.bytes
            places = read.get(tensor.name)
            if places:
                readers += len(places)
                last = max(last, places[-1])
        first = operator.inputs[0].shape if operator.inputs else operator.outputs[0].shape
        out = operator.outputs[0].shape
        figures += (
            operator.macs, operator.window, operator.groups, first[0] * first[1], out[0] * out[1],
            first[1], out[1], inner, outer, len(operator.inputs), bytes_in, bytes_out, repeated,
            operator.weight_bytes, operator.stride, readers, last - index, index - oldest,
            live, image_live, _offsets(operator),
            bool(operator.inputs) and operator.inputs[0].name in linear,
            any(tensor.name in linear for tensor in operator.inputs[1:]),
            operator.outputs[0].name in linear, beside < bytes_in, beside, index in joined,
            not readers or oldest < 0,
        )  # fmt: skip
        if last > index:
            live += bytes_out
            done[last] += bytes_out
    return figures


def _of_inputs(
    operator: LoweredOperator, index: int, made: dict[str, int], alone: dict[str, int]
) -> tuple[int, int, int, int, int]:
    """Channels, bytes, those that nobody writes in place and those that no convolution makes for
    this operator alone; the place of the oldest maker, -1 for the image.
    """
    channels = size = repeated = beside = 0
    oldest = index
    seen = set()
    for tensor in operator.inputs:
        name, (height, width, inner) = tensor.name, tensor.shape
        own = height * width * inner
        channels += inner
        size += own
        maker = made.get(name, -1)
        if maker < 0 or name in seen:
            repeated += own
        seen.add(name)
        oldest = min(oldest, maker)
        if name not in alone:
            beside += own
    return channels, size, repeated, beside, oldest


def _joined(operators: Sequence[LoweredOperator], alone: dict[str, int]) -> set[int]:
    """Of the convolutions whose results are added up at once, all but the largest."""
    joined: set[int] = set()
    for operator in operators:
        if operator.kind in ("ADD", "SUB"):
            added = [alone[tensor.name] for tensor in operator.inputs if tensor.name in alone]
            added.sort(key=lambda index: operators[index].macs)
            joined.update(added[:-1])
    return joined


def _linear(
    operators: Sequence[LoweredOperator], images: Collection[str], read: Collection[str]
) -> set[str]:
    """Tensors that cannot lie in blocks of channels: at the network's ends, where parts begin
    inside a block, and where bytes get another shape. A part lies as the whole does.
    """
    linear = {*images, *(t.name for o in operators for t in o.outputs if t.name not in read)}
    telling = [o for o in operators if o.groups > 1 or o.kind in _RESHAPING or o.kind in _PARTED]
    # Backwards for what a concatenation's readers demand, then forwards for what a split cuts.
    for operator in reversed(telling):
        kind = operator.kind
        if kind in _RESHAPING or (kind in _PARTED and _offsets(operator)):
            linear.update(tensor.name for tensor in operator.inputs + operator.outputs)
        elif operator.groups > 1:
            for tensors in (operator.inputs, operator.outputs):
                if tensors[0].shape[2] // operator.groups % _BLOCK:
                    linear.add(tensors[0].name)
        elif kind == "CONCATENATION" and operator.outputs[0].name in linear:
            linear.update(tensor.name for tensor in operator.inputs)
    for operator in telling:
        if operator.kind in _PARTED and any(t.name in linear for t in operator.inputs):
            linear.update(tensor.name for tensor in operator.outputs)
    return linear


def _offsets(operator: LoweredOperator) -> int:
    """Parts that do not begin with a block of ``_BLOCK`` channels."""
    if operator.kind not in _PARTED:
        return 0
    parts = operator.inputs if len(operator.inputs) > 1 else operator.outputs
    begins = itertools.accumulate(tensor.shape[2] for tensor in parts[:-1])
    return sum(begin % _BLOCK != 0 for begin in begins)
