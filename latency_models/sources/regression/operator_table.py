"""The operators of many networks as columns of a table, for vectorized arithmetic."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from search_spaces import LoweredOperator

from .enlargement import ENLARGING, has_factor, with_factor

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Integers = npt.NDArray[np.int64]
    Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class OperatorTable:
    """A row for each operator; float64 columns of shape (operators,), bytes as of INT8 tensors."""

    #: number of networks; ``network`` is the number of an operator's network, in rising order
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
    #: bytes of inputs that no operator can write in place: the image, and repeated inputs
    bytes_repeated: Floats
    weight_bytes: Floats
    stride: Floats
    #: number of operators that read the output, and distance to the last of them
    readers: Floats
    reach: Floats
    #: distance to the operator that made the oldest input
    span: Floats
    #: bytes of earlier tensors that a later operator still reads
    bytes_live: Floats
    #: bytes of the image if a later operator still reads it
    image_live: Floats
    #: number of parts of a concatenation or split that begin inside a block of channels
    offsets: Floats
    #: 1 if the first input, another input, or the first output is stored pixel by pixel (NHWC), not
    #: in blocks of channels, because an operator reads or writes a part of it
    linear_in: Floats
    linear_beside: Floats
    linear_out: Floats
    #: 1 if the operator is the only reader of a convolution's result, so that both can be fused
    behind_convolution: Floats
    #: bytes of the other inputs: those that are not the result of a convolution read only here
    bytes_beside: Floats
    #: 1 if the operator is a convolution whose result is only added to that of a larger one, and
    #: need not be written
    joined: Floats
    #: 1 if the operator reads the image or writes the network's output
    at_end: Floats

    @classmethod
    def of(cls, networks: Iterable[Sequence[LoweredOperator]]) -> OperatorTable:
        """Makes a table of the operators of ``networks``, one network after another."""
        import numpy as np

        numbers, kinds, count = [], [], 0
        # A single flat list, since a million small lists would burden the garbage collector.
        figures: list[float] = []
        for count, operators in enumerate(networks, 1):
            numbers += [count - 1] * len(operators)
            kinds += [operator.kind for operator in operators]
            figures += _columns_of(operators)
        columns: Any = np.array(figures, dtype=np.float64).reshape(-1, _COLUMN_COUNT).T
        return cls(count, np.array(numbers, dtype=np.int64), np.array(kinds, dtype=str), *columns)

    def __len__(self) -> int:
        return len(self.network)

    def is_one_of(self, names: Collection[str]) -> Mask:
        """Returns the mask (operators,) of operators that ``names`` stand for.

        A name is a kind, or a kind with a factor, see ``enlargement``.
        """
        import numpy as np

        kinds, places = self.kinds
        found = np.array([kind in names for kind in kinds], dtype=bool)[places]
        if any(map(has_factor, names)):
            own_names, places = self.names
            found |= np.array([name in names for name in own_names], dtype=bool)[places]
        return found

    @cached_property
    def padded_bytes_in(self) -> Floats:
        """(operators,): pixels of the first input times all input channels in whole blocks."""
        return self.pixels_in * padded_channels(self.channels_in)

    @cached_property
    def padded_bytes_out(self) -> Floats:
        """(operators,): pixels of the first output times all output channels in whole blocks."""
        return self.pixels_out * padded_channels(self.channels_out)

    @cached_property
    def kinds(self) -> tuple[tuple[str, ...], Integers]:
        """All kinds in alphabetical order, and (operators,): the index of each operator's kind."""
        import numpy as np

        kinds = self.kind.tolist()
        names = tuple(sorted(set(kinds)))
        place = {name: index for index, name in enumerate(names)}
        return names, np.fromiter(map(place.__getitem__, kinds), np.int64, len(kinds))

    @cached_property
    def names(self) -> tuple[tuple[str, ...], Integers]:
        """All names with factors, and (operators,): the index of each operator's name."""
        import numpy as np

        kinds, places = self.kinds
        factors = np.rint(self.width_out / self.width_in).astype(np.int64)
        pairs = places * _MOST_FACTORS + np.where(self.is_one_of(ENLARGING), factors, 0)
        distinct, indices = np.unique(pairs, return_inverse=True)
        names = []
        for place, factor in zip(*np.divmod(distinct, _MOST_FACTORS), strict=True):
            kind = kinds[place]
            names.append(with_factor(kind, int(factor)) if kind in ENLARGING else kind)
        return tuple(names), indices

    def only(self, networks: Sequence[int]) -> OperatorTable:
        """Returns the rows of ``networks``, numbers in ascending order, renumbered from 0."""
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
        """Returns sums of ``values``, (operators, ...), over each network: (networks, ...)."""
        import numpy as np

        numbers, first = np.unique(self.network, return_index=True)
        sums = np.zeros((self.networks, *values.shape[1:]))
        if len(first):
            sums[numbers] = np.add.reduceat(values, first, axis=0)
        return sums


#: More than any factor of enlargement.
_MOST_FACTORS = 1 << 16
#: NPUs keep channels in blocks of this many.
_BLOCK = 16
CONVOLUTIONS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV"})
#: Operators that reorder bytes, and those whose parts are written or read in place.
_REORDERING = frozenset({"RESHAPE", "DEPTH_TO_SPACE", "SPACE_TO_DEPTH", "STRIDED_SLICE"})
_PART_KINDS = frozenset({"CONCATENATION", "SPLIT"})


def padded_channels(channels: Floats) -> Floats:
    """Returns ``channels`` rounded up to whole blocks."""
    import numpy as np

    return np.ceil(channels / _BLOCK) * _BLOCK


#: Number of columns from ``macs`` on.
_COLUMN_COUNT = len(dataclasses.fields(OperatorTable)) - 3


def _columns_of(operators: Sequence[LoweredOperator]) -> list[float]:
    """Returns the columns from ``macs`` on of each operator, one operator after another.

    It makes a single pass over the tensors, since thousands of networks are read at once.
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
    # Bytes that are read last by each operator: of operators' results, and of the image.
    done, image_done = [0] * len(operators), [0] * len(operators)
    for name, size in images.items():
        image_done[read[name][-1]] += size
    # Results of convolutions with exactly one reader -> index of the convolution.
    alone = {
        tensor.name: index
        for index, operator in enumerate(operators)
        if operator.kind in CONVOLUTIONS
        for tensor in operator.outputs
        if len(read.get(tensor.name, ())) == 1
    }
    joined = _unwritten_convolutions(operators, alone)
    linear = _linear_tensors(operators, images, read)
    figures: list[float] = []
    for index, operator in enumerate(operators):
        live -= done[index]
        image_live -= image_done[index]
        inner, bytes_in, repeated, beside, oldest = _input_properties(operator, index, made, alone)
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
            live, image_live, _unaligned_parts(operator),
            bool(operator.inputs) and operator.inputs[0].name in linear,
            any(tensor.name in linear for tensor in operator.inputs[1:]),
            operator.outputs[0].name in linear, beside < bytes_in, beside, index in joined,
            not readers or oldest < 0,
        )  # fmt: skip
        if last > index:
            live += bytes_out
            done[last] += bytes_out
    return figures


def _input_properties(
    operator: LoweredOperator, index: int, made: dict[str, int], alone: dict[str, int]
) -> tuple[int, int, int, int, int]:
    """Returns properties of the operator's inputs.

    These are channels, bytes, ``bytes_repeated``, ``bytes_beside``, and the index of the operator
    that made the oldest input, -1 for the image.
    """
    channels = size = repeated = beside = 0
    oldest = index
    seen = set()
    for tensor in operator.inputs:
        name, (height, width, inner) = tensor.name, tensor.shape
        bytes_of_it = height * width * inner
        channels += inner
        size += bytes_of_it
        maker = made.get(name, -1)
        if maker < 0 or name in seen:
            repeated += bytes_of_it
        seen.add(name)
        oldest = min(oldest, maker)
        if name not in alone:
            beside += bytes_of_it
    return channels, size, repeated, beside, oldest


def _unwritten_convolutions(
    operators: Sequence[LoweredOperator], alone: dict[str, int]
) -> set[int]:
    """Returns the convolutions whose results are added, except the one with the most MACs."""
    joined: set[int] = set()
    for operator in operators:
        if operator.kind in ("ADD", "SUB"):
            added = [alone[tensor.name] for tensor in operator.inputs if tensor.name in alone]
            added.sort(key=lambda index: operators[index].macs)
            joined.update(added[:-1])
    return joined


def _linear_tensors(
    operators: Sequence[LoweredOperator], images: Collection[str], read: Collection[str]
) -> set[str]:
    """Returns the tensors that cannot be stored in blocks of channels.

    These are the network's input and outputs, tensors with parts that begin inside a block, and
    reshaped tensors. Parts are stored in the same way as the whole tensor.
    """
    linear = {*images, *(t.name for o in operators for t in o.outputs if t.name not in read)}
    relevant = [
        o for o in operators if o.groups > 1 or o.kind in _REORDERING or o.kind in _PART_KINDS
    ]
    # Backwards from a concatenation's result to its parts, then forwards from a split to its parts.
    for operator in reversed(relevant):
        kind = operator.kind
        if kind in _REORDERING or (kind in _PART_KINDS and _unaligned_parts(operator)):
            linear.update(tensor.name for tensor in operator.inputs + operator.outputs)
        elif operator.groups > 1:
            for tensors in (operator.inputs, operator.outputs):
                if tensors[0].shape[2] // operator.groups % _BLOCK:
                    linear.add(tensors[0].name)
        elif kind == "CONCATENATION" and operator.outputs[0].name in linear:
            linear.update(tensor.name for tensor in operator.inputs)
    for operator in relevant:
        if operator.kind in _PART_KINDS and any(t.name in linear for t in operator.inputs):
            linear.update(tensor.name for tensor in operator.outputs)
    return linear


def _unaligned_parts(operator: LoweredOperator) -> int:
    """Counts the parts that do not begin at a multiple of ``_BLOCK`` channels."""
    if operator.kind not in _PART_KINDS:
        return 0
    parts = operator.inputs if len(operator.inputs) > 1 else operator.outputs
    begins = itertools.accumulate(tensor.shape[2] for tensor in parts[:-1])
    return sum(begin % _BLOCK != 0 for begin in begins)
