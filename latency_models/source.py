"""The contract of latency sources: measurements, compilers, and models of either."""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from search_spaces import CandidateError, Graph, InputSpec, LoweredOperator, lower


class WeightGranularity(StrEnum):
    """How a device takes INT8 weights: a scale for each output channel, or one for all."""

    CHANNEL = "channel"
    TENSOR = "tensor"


class LatencyError(CandidateError):
    """No trustworthy latency for this model from this source, and why."""


class NeverTaken(LatencyError):
    """The device does not support the network, so that asking again is useless."""

    #: what it has too much of, for a search that learns from it
    constraint: ClassVar[str]

    @property
    @abc.abstractmethod
    def excess(self) -> float:
        """By how much, more than 0."""


class UnsupportedOperators(NeverTaken):
    """The device does not support the operators ``kinds``, named as in TFLite."""

    constraint = "unsupported_operators"

    def __init__(self, message: str, kinds: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.kinds = tuple(sorted(kinds))

    @property
    def excess(self) -> float:
        return len(self.kinds)


class DoesNotFit(NeverTaken):
    """The network needs more memory than the device has; ``excess`` is the relative difference."""

    constraint = "excess_memory"

    def __init__(self, message: str, excess: float) -> None:
        super().__init__(message)
        self._excess = excess

    @property
    def excess(self) -> float:
        return self._excess


@dataclass(frozen=True)
class OperatorLatency:
    """One operator of the deployed model: its engine, and its time in ms."""

    name: str
    #: TFLite's name, CONV_2D
    kind: str
    #: "npu", "cpu", or what the device calls its engine
    engine: str
    ms: float


#: The condition that says what the interval is.
INTERVAL = "interval"
#: The source of what a regression says.
PREDICTED = "regression"


@dataclass(frozen=True)
class Latency:
    """Time of one inference and its interval in ms, and where they come from."""

    ms: float
    low_ms: float
    high_ms: float
    operators: tuple[OperatorLatency, ...]
    #: names of operators that fell back to the CPU; their cost is within ``ms``
    on_cpu: tuple[str, ...]
    #: "vela 5.2.0", "host", PREDICTED
    source: str
    #: what the figure was taken under: clocks, threads, versions
    conditions: tuple[tuple[str, str], ...] = ()
    #: are the operators' times the total shared out, since the source knows no more?
    operators_shared: bool = False

    def __post_init__(self) -> None:
        values = (self.low_ms, self.ms, self.high_ms)
        if not all(math.isfinite(value) and value > 0 for value in values):
            raise LatencyError(f"{self.source} gave {values} ms; a latency is finite and positive")
        if not self.low_ms <= self.ms <= self.high_ms:
            raise LatencyError(f"{self.source} gave {values} ms, an interval without its value")

    @property
    def interval(self) -> str:
        """What the interval is, in words; every source says it in its conditions."""
        return dict(self.conditions).get(INTERVAL, "")

    @property
    def operator_ms(self) -> tuple[float, ...]:
        """Each operator's time, or nothing where the source knows that of the whole alone."""
        return () if self.operators_shared else tuple(row.ms for row in self.operators)

    @property
    def is_predicted(self) -> bool:
        """Whether a regression predicted it, rather than a measurement or a compiler."""
        return self.source == PREDICTED

    @property
    def promised_ms(self) -> float:
        """The time that a limit applies to: the upper end of a prediction's interval."""
        return self.high_ms if self.is_predicted else self.ms

    @property
    def least_ms(self) -> float:
        """The shortest plausible time: the lower end of a prediction's interval."""
        return self.low_ms if self.is_predicted else self.ms

    @property
    def text(self) -> str:
        """Text for people; of a prediction with its interval."""
        if not self.is_predicted:
            return f"{self.ms:.2f} ms"
        return f"{self.ms:.2f} ms predicted ({self.low_ms:.2f} to {self.high_ms:.2f})"


@dataclass(frozen=True)
class LatencyRequest:
    """A model to be timed: its operators, and the file itself, made only if the source needs it.

    From a graph by ``of_graph``; from anybody's file by
    ``latency_models.tflite.requests.request_of_file``.
    """

    #: what people call it, for messages
    name: str
    operators: tuple[LoweredOperator, ...]
    input: InputSpec
    make_tflite: Callable[[], bytes] = field(repr=False, compare=False)
    #: what the file is made of; None if only the file is known
    graph: Graph | None = field(default=None, repr=False)
    #: SHA-256 of the file that was given, if ``make_tflite`` is that with its open sizes fixed
    given_sha256: str = ""

    @property
    def graph_hash(self) -> str:
        """The graph's hash; empty if there is only a file."""
        return "" if self.graph is None else self.graph.hash

    @classmethod
    def of_graph(
        cls, graph: Graph, spec: InputSpec, make_tflite: Callable[[], bytes], name: str = ""
    ) -> LatencyRequest:
        """For the deployed ``graph``; its weights need only be like trained ones.

        Of a graph with a ``name`` no hash is computed here.
        """
        called = name or f"network {graph.hash}"
        return cls(called, lower(graph, spec), spec, make_tflite, graph)


class LatencySource(abc.ABC):
    """Answers requests for one device.

    A latency covers every operator of the request: those that leave the NPU are in ``on_cpu``, and
    costed. A source that cannot answer raises LatencyError, UnsupportedOperators where the
    network's own operators are why; it never returns 0 or leaves an operator out. Sources are used
    from one thread, and own no files.
    """

    @property
    def reads_weights(self) -> bool:
        """Whether the time depends on the weights, so that a trained file is timed again."""
        return False

    @abc.abstractmethod
    def measure(self, request: LatencyRequest) -> Latency:
        """The latency of one inference."""

    def run(self, request: LatencyRequest, image: bytes) -> bytes:
        """Runs the model on the device itself; returns the bytes of its outputs, in order.

        ``image`` is the input tensor as the file has it. LatencyError if the source runs nothing.
        """
        raise LatencyError(f"{request.name}: there is no device here to run it; it has times alone")
