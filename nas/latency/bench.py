"""A device, and the table that its measurements go into as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from latency_models import Latency, LatencyRequest, LatencySource, Worker
from latency_models.device import Device
from latency_models.sources.regression import Measurement
from latency_models.sources.regression.measurements import MeasurementOrigin
from search_spaces import CandidateError, Graph, InputSpec

from ..evaluation.evaluator import untrained_request
from .table import CollectedTable, require_own_times


@dataclass(frozen=True)
class DeviceBench:
    """What is measured on, and where the table is kept.

    InputError of a device whose times are predictions.
    """

    device: Device
    source: LatencySource
    worker: Worker
    folder: Path
    #: for the table: what is measured
    networks: str

    def __post_init__(self) -> None:
        require_own_times(self.device)

    @property
    def table(self) -> CollectedTable:
        """Where the measurements go."""
        device = self.device
        origin = MeasurementOrigin(device.name, device.conditions, str(device.input), self.networks)
        return CollectedTable(self.folder, origin)

    def measure(self, graph: Graph, input: InputSpec | None = None) -> Measurement:
        """One architecture on the device, for images of ``input``, None: the device's."""
        spec = input or self.device.input
        request = untrained_request(self.worker, graph, spec, self.device.weights)
        measured = measurement_of(request, self.source.measure(request))
        name = row_name(graph, spec, self.device.input)
        return replace(measured, name=name, network=graph.hash, origin=self.table.origin)

    def run_through(
        self, graphs: Iterable[Graph], tell: Callable[[str], None]
    ) -> tuple[Measurement, ...]:
        """Measures each of ``graphs`` that the table lacks; gives the rows of those it has then."""
        wanted = {graph.hash: graph for graph in graphs}
        with self.table.held():
            rows = list(self.table.rows())
            known = {row.name for row in rows}
            for name, graph in wanted.items():
                if name in known:
                    continue
                try:
                    rows.append(self.measure(graph))
                except CandidateError as error:
                    tell(f"left out: {error}")
                    continue
                self.table.keep(rows)
                tell(f"{name} {rows[-1].ms:.2f} ms")
        return tuple(row for row in rows if row.name in wanted)


def row_name(graph: Graph, spec: InputSpec, own: InputSpec) -> str:
    """Of a measurement for images of ``spec``; at the device's ``own`` size the graph's hash."""
    return graph.hash if spec == own else f"{graph.hash}@{spec}"


def measurement_of(request: LatencyRequest, latency: Latency) -> Measurement:
    """The row of a table: what was asked for, and its time."""
    return Measurement(
        name=request.graph_hash or request.name,
        operators=request.operators,
        ms=latency.ms,
        operators_ms=latency.operator_ms,
        engines=tuple(row.engine for row in latency.operators),
    )
