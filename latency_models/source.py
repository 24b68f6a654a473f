"""The interface of latency sources: measurements, compilers, and models of either."""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from search_spaces import CandidateError, Graph, InputSpec, LoweredOperator, lower


class WeightGranularity(StrEnum):
    """Scales of INT8 weights that a device supports: one per output channel, or one per tensor."""

    CHANNEL = "channel"
    TENSOR = "tensor"


class LatencyError(CandidateError):
    """A source cannot give a trustworthy latency for a model; the message says why."""


class SourceGone(LatencyError):
    """The device is gone and did not return: no network can be measured until it is back."""


class NeverTaken(LatencyError):
    """The device does not support the network; another attempt would fail, too."""

    #: name of the violated constraint, from which a search learns
    constraint: ClassVar[str]

    @property
    @abc.abstractmethod
    def excess(self) -> float:
        """By how much the network violates the constraint; more than 0."""


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
    """The engine and the time, in ms, of one operator of the deployed model."""

    name: str
    #: name of the operator in TFLite, such as CONV_2D
    kind: str
    #: "npu", "cpu", or what the device calls its engine
    engine: str
    ms: float


#: Name of the condition that describes the interval.
INTERVAL = "interval"
#: ``Latency.source`` of predictions by a regression.
PREDICTED = "regression"


@dataclass(frozen=True)
class Latency:
    """Time of one inference and its interval in ms, and their origin."""

    ms: float
    low_ms: float
    high_ms: float
    operators: tuple[OperatorLatency, ...]
    #: names of operators that fell back to the CPU; their cost is within ``ms``
    on_cpu: tuple[str, ...]
    #: "vela 5.2.0", "host", PREDICTED
    source: str
    #: measurement conditions, as (name, value): clocks, threads, versions
    conditions: tuple[tuple[str, str], ...] = ()
    #: whether the times of operators are only estimated, by apportioning the total among them
    operators_shared: bool = False

    def __post_init__(self) -> None:
        values = (self.low_ms, self.ms, self.high_ms)
        if not all(math.isfinite(value) and value > 0 for value in values):
            raise LatencyError(f"{self.source} gave {values} ms; a latency is finite and positive")
        if not self.low_ms <= self.ms <= self.high_ms:
            raise LatencyError(f"{self.source} gave {values} ms, an interval without its value")

    @property
    def interval(self) -> str:
        """Description of the interval; every source gives it in its conditions."""
        return dict(self.conditions).get(INTERVAL, "")

    @property
    def operator_ms(self) -> tuple[float, ...]:
        """The time of each operator; empty if the source only knows the time of the whole model."""
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
        """The time as text for users; predictions include their interval."""
        if not self.is_predicted:
            return f"{self.ms:.2f} ms"
        return f"{self.ms:.2f} ms predicted ({self.low_ms:.2f} to {self.high_ms:.2f})"


@dataclass(frozen=True)
class LatencyRequest:
    """A model to be timed: its operators, and its file, which is made only if the source needs it.

    ``of_graph`` makes a request from a graph, and
    ``latency_models.tflite.requests.request_of_file`` makes one from any TFLite file.
    """

    #: name of the model in messages
    name: str
    operators: tuple[LoweredOperator, ...]
    input: InputSpec
    make_tflite: Callable[[], bytes] = field(repr=False, compare=False)
    #: the graph that the file is made from; None if only the file is known
    graph: Graph | None = field(default=None, repr=False)
    #: SHA-256 of the user's file, if ``make_tflite`` returns that file with fixed sizes; else empty
    given_sha256: str = ""

    @property
    def graph_hash(self) -> str:
        """The graph's hash; empty if there is only a file."""
        return "" if self.graph is None else self.graph.hash

    @classmethod
    def of_graph(
        cls, graph: Graph, spec: InputSpec, make_tflite: Callable[[], bytes], name: str = ""
    ) -> LatencyRequest:
        """Returns a request for the deployed ``graph``; random weights like trained ones suffice.

        If a ``name`` is given, the graph's hash is not computed here.
        """
        title = name or f"network {graph.hash}"
        return cls(title, lower(graph, spec), spec, make_tflite, graph)


class LatencySource(abc.ABC):
    """Gives latencies of models on one device.

    A latency covers every operator of the request: operators that fall back to the CPU are listed
    in ``on_cpu``, and their cost is included. A source that cannot give a latency raises
    LatencyError (UnsupportedOperators if the network's operators are the reason); it never returns
    0 or leaves an operator out. A source is used from one thread only, and owns no files.
    """

    @property
    def reads_weights(self) -> bool:
        """Whether times depend on the weights, so that a trained model must be timed again."""
        return False

    @abc.abstractmethod
    def measure(self, request: LatencyRequest) -> Latency:
        """Returns the latency of one inference."""

    def run(self, request: LatencyRequest, image: bytes) -> bytes:
        """Runs the model on the device itself; returns the bytes of its outputs, in order.

        ``image`` holds the bytes of the input tensor. LatencyError if the source cannot run models.
        """
        raise LatencyError(f"{request.name}: there is no device here to run it; it has times alone")
