"""A small neural network that predicts an operator's time from the operator and its neighbors.

It approximates a compiler that fuses and interleaves neighboring operators as far as its SRAM
allows, so that the cost of an operator depends on those before and after it. Its hidden layers are
dilated 1D convolutions of three taps over the sequence of operators. Its output is a factor: the
time is that factor times ``work_cycles``, which depend on the operator alone. The factor is the
mean of an ensemble of networks trained from different initial weights. They are trained on many
more networks than a table holds; their weights are an NPZ file beside the table.

A second output is the error that the factor is expected to have. It is large for operators whose
time the trained network could not learn well, and constant for operators of a variant that the
training data lacks.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

from search_spaces import InputError

from .operator_features import features
from .operator_table import OperatorTable, padded_channels
from .operator_variants import variants

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Singles = npt.NDArray[np.float32]
    Integers = npt.NDArray[np.int64]
    Mask = npt.NDArray[np.bool_]

#: Limits of the logarithm of an operator's expected error, which is relative: 0.1 is about 10 %.
ERROR_LIMITS = (-6.0, -1.2)
#: Operators per batch, so that their activations stay in the processor's cache.
_BATCH_SIZE = 4096
#: The reference NPU of ``work_cycles``: its multipliers, its memory bandwidth, and the least cycles
#: of an operator.
_MACS_PER_CYCLE = 512
_BYTES_PER_CYCLE = 16
_LEAST_CYCLES = 100
#: A transposed convolution reads its input stride^2 times, once for each position of an output
#: pixel within a stride, in bursts of this many times the bytes needed.
_BURST = 64
_TUPLES = ("kinds", "pixels", "ms", "steps")
_SCALARS = ("cycle_ms", "networks", "radius", "unseen_error")


@dataclass(frozen=True, eq=False)
class OperatorNetwork:
    """Trained weights, and the range of the training data. "members" are those of the ensemble."""

    #: kinds of operators, in the order of the one-hot features
    kinds: tuple[str, ...]
    #: (members, features, width) and (members, width)
    first: Singles
    first_bias: Singles
    #: (members, layers, 3, width, width) and (members, layers, width)
    middle: Singles
    middle_bias: Singles
    #: dilation of each middle layer, in operators
    steps: tuple[int, ...]
    #: (members, width + features, width) and (members, width)
    last: Singles
    last_bias: Singles
    #: (members, width) and (members,): the output layer, whose softplus is the factor
    factor: Singles
    factor_bias: Singles
    #: (members, width) and (members,): the second output, logarithms of expected errors
    error: Singles
    error_bias: Singles
    #: (variants,): operators of the training data, see ``operator_variants``
    variants: Integers
    #: expected error of operators of other variants
    unseen_error: float
    #: ms per cycle of ``work_cycles``
    cycle_ms: float
    #: smallest and largest input pixels and ms of the training networks, and their number
    pixels: tuple[float, float]
    ms: tuple[float, float]
    networks: int
    #: half of the interval, in logarithms, relative to the expected error of a network; by networks
    #: outside the training data
    radius: float

    def __post_init__(self) -> None:
        members, width = self.first_bias.shape
        inner, layers = self.first.shape[1], self.middle.shape[1]
        expected = {
            "first": (members, inner, width),
            "middle": (members, layers, 3, width, width),
            "middle_bias": (members, layers, width),
            "last": (members, width + inner, width),
            "last_bias": (members, width),
            "factor": (members, width),
            "factor_bias": (members,),
            "error": (members, width),
            "error_bias": (members,),
        }
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise InputError(f"{name} is of {getattr(self, name).shape}, not {shape}")
        if len(self.steps) != layers or not all(step >= 1 for step in self.steps):
            raise InputError(
                f"steps {self.steps} are not one, from 1 on, for each of {layers} layers"
            )
        positive = {name: getattr(self, name) for name in ("radius", "unseen_error", "cycle_ms")}
        if not all(value > 0 for value in positive.values()):
            raise InputError(f"{positive}: must be positive")

    @property
    def seen(self) -> frozenset[str]:
        """Kinds of operators in the training data."""
        return frozenset(self.kinds)

    @classmethod
    def read(cls, data: bytes, where: str) -> OperatorNetwork:
        """Reads the result of ``write``; InputError, with ``where``, for any other ``data``."""
        import numpy as np

        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                values: dict[str, Any] = {item.name: arrays[item.name] for item in fields(cls)}
            values |= {
                name: value.astype(np.float32)
                for name, value in values.items()
                if value.dtype == np.float16
            }
            values |= {name: values[name].item() for name in _SCALARS}
            values |= {name: tuple(values[name].tolist()) for name in _TUPLES}
            return cls(**values)
        except (OSError, KeyError, ValueError, TypeError, EOFError, BadZipFile) as error:
            raise InputError(f"{where}: holds no network of operators ({error})") from None

    def write(self, file: Path) -> None:
        """Writes an NPZ file, weights in half precision, whose error is negligible."""
        import numpy as np

        values: dict[str, Any] = {}
        for item in fields(self):
            value = np.asarray(getattr(self, item.name))
            values[item.name] = value.astype(np.float16) if value.dtype == np.float32 else value
        np.savez_compressed(file, **values)

    def operator_ms(self, table: OperatorTable) -> Floats:
        """Returns (operators,): ms of each operator."""
        return self._outputs(table)[0] * work_cycles(table) * self.cycle_ms

    def expected_errors(self, table: OperatorTable) -> Floats:
        """Returns (operators,): the expected error of each operator's time, in logarithms.

        That of a network is the mean of its operators' errors, weighted by their times.
        """
        import numpy as np

        errors = self._outputs(table)[1]
        return np.where(self.knows(table), errors, np.maximum(errors, self.unseen_error))

    def knows(self, table: OperatorTable) -> Mask:
        """Returns the mask (operators,) of operators whose variant the training data has."""
        import numpy as np

        return np.isin(variants(table, self.kinds), self.variants)

    @lru_cache(maxsize=1)  # noqa: B019 - a predictor lives as long as its process
    def _outputs(self, table: OperatorTable) -> tuple[Floats, Floats]:
        """Returns factors and expected errors, (operators,) each; kept for the latest table."""
        import numpy as np

        inputs = features(table, self.kinds)
        if inputs.shape[1] != self.first.shape[1]:
            raise InputError(
                f"the network was trained on {self.first.shape[1]} features, not "
                f"{inputs.shape[1]}; take that of this version"
            )
        first = np.flatnonzero(np.diff(table.network, prepend=-1))
        factors, errors = np.empty(len(table)), np.empty(len(table))
        for begin, end in _batches(first, len(table)):
            inner = first[(first >= begin) & (first < end)] - begin
            part = np.ascontiguousarray(inputs[begin:end])
            factors[begin:end], errors[begin:end] = self._means(part, inner)
        return factors, errors

    def _means(self, inputs: Singles, first: Integers) -> tuple[Singles, Singles]:
        """Returns mean factors and errors of the ensemble; networks begin at ``first``."""
        import numpy as np

        width = self.first_bias.shape[1]
        factors, errors = np.zeros((2, len(inputs)), np.float32)
        for member in range(len(self.first)):
            hidden = _relu(inputs @ self.first[member] + self.first_bias[member])
            for weights, bias, step in zip(
                self.middle[member], self.middle_bias[member], self.steps, strict=True
            ):
                hidden += _relu(_convolved(hidden, weights, first, step) + bias)
            last = hidden @ self.last[member, :width] + inputs @ self.last[member, width:]
            last = _relu(last + self.last_bias[member])
            factors += np.logaddexp(0, last @ self.factor[member] + self.factor_bias[member])
            logarithms = last @ self.error[member] + self.error_bias[member]
            errors += np.exp(np.clip(logarithms, *ERROR_LIMITS))
        members = np.float32(len(self.first))
        return factors / members, errors / members


def work_cycles(table: OperatorTable) -> Floats:
    """Returns (operators,): cycles of each operator alone on a reference NPU (roofline model)."""
    import numpy as np

    inner = table.channels_in / table.groups
    waste = padded_channels(table.channels_out) / table.channels_out
    blocks = padded_channels(inner) / np.maximum(inner, 1.0)
    inner_waste = np.where(table.is_one_of({"DEPTHWISE_CONV_2D"}), 1.0, blocks)
    moved = table.padded_bytes_in + table.padded_bytes_out
    spread = _BURST * table.stride**2 * table.padded_bytes_in
    moved = np.where(table.is_one_of({"TRANSPOSE_CONV"}), spread, moved)
    computing = table.macs * waste * inner_waste / _MACS_PER_CYCLE
    cycles = np.maximum(computing, moved / _BYTES_PER_CYCLE)
    padded: Floats = cycles + table.weight_bytes / _BYTES_PER_CYCLE + _LEAST_CYCLES
    return padded


def _batches(first: Integers, operators: int) -> list[tuple[int, int]]:
    """Returns batches (begin, end) of about ``_BATCH_SIZE`` operators, of whole networks."""
    begins = [0]
    for place in first.tolist():
        if place - begins[-1] >= _BATCH_SIZE:
            begins.append(place)
    return list(zip(begins, [*begins[1:], operators], strict=True))


def _convolved(values: Singles, weights: Singles, first: Integers, step: int) -> Singles:
    """Convolves with three taps and dilation ``step``, zero-padded at the ends of each network.

    ``values`` are (operators, width), ``weights`` (3, width, width).
    """
    import numpy as np

    before, behind = np.zeros_like(values), np.zeros_like(values)
    before[step:], behind[:-step] = values[:-step], values[step:]
    ends = np.append(first[1:], len(values))
    for place in range(step):
        before[np.minimum(first + place, ends - 1)] = 0
        behind[np.maximum(ends - 1 - place, first)] = 0
    result: Singles = before @ weights[0] + values @ weights[1] + behind @ weights[2]
    return result


def _relu(values: Singles) -> Singles:
    import numpy as np

    return np.maximum(values, 0)
