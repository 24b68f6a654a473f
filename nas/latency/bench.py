"""Measures networks on a device into a table on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from latency_models import Latency, LatencyError, LatencyRequest, LatencySource, SourceGone, Worker
from latency_models.device import Device
from latency_models.sources.regression import Measurement
from latency_models.sources.regression.measurements import MeasurementOrigin
from search_spaces import CandidateError, Graph, InputError, InputSpec

from ..evaluation.evaluator import untrained_request
from .table import CollectedTable, require_own_times


@dataclass(frozen=True)
class DeviceBench:
    """Measures networks on a device and keeps the measurements in a table in ``folder``.

    InputError if the device's times are predictions.
    """

    device: Device
    source: LatencySource
    worker: Worker
    folder: Path
    #: description of the networks, such as space and scale, for the table's column ``space``
    networks: str

    def __post_init__(self) -> None:
        require_own_times(self.device)

    @property
    def table(self) -> CollectedTable:
        """The table in ``folder``."""
        device = self.device
        origin = MeasurementOrigin(device.name, device.conditions, str(device.input), self.networks)
        return CollectedTable(self.folder, origin)

    def measure(self, graph: Graph, input: InputSpec | None = None) -> Measurement:
        """Measures a network with stand-in weights at size ``input`` (None: the device's size)."""
        spec = input or self.device.input
        request = untrained_request(self.worker, graph, spec, self.device.weights)
        measured = measurement_of(request, self.source.measure(request))
        name = row_name(graph, spec, self.device.input)
        return replace(measured, name=name, network=graph.hash, origin=self.table.origin)

    def run_through(
        self, graphs: Iterable[Graph], tell: Callable[[str], None]
    ) -> tuple[Measurement, ...]:
        """Measures those of ``graphs`` that the table lacks; returns the rows of all measured ones.

        Networks that cannot be measured are left out. ``tell`` is called with a line for each
        network. Raises SourceGone if the device is gone.
        """
        wanted = {graph.hash: graph for graph in graphs}
        with self.table.locked():
            rows = list(self.table.rows())
            measured = {row.name for row in rows}
            for name, graph in wanted.items():
                if name in measured:
                    continue
                try:
                    rows.append(self.measure(graph))
                except SourceGone:
                    raise
                except CandidateError as error:
                    tell(f"left out: {error}")
                    continue
                self.table.write(rows)
                tell(f"{name} {rows[-1].ms:.2f} ms")
        return tuple(row for row in rows if row.name in wanted)


def row_name(graph: Graph, spec: InputSpec, device_input: InputSpec) -> str:
    """Returns a row's name: the graph's hash, with ``spec`` if that is not ``device_input``."""
    return graph.hash if spec == device_input else f"{graph.hash}@{spec}"


def measurement_of(request: LatencyRequest, latency: Latency) -> Measurement:
    """Returns a latency as a row of a table; LatencyError if no table takes such a time."""
    try:
        return Measurement(
            name=request.graph_hash or request.name,
            operators=request.operators,
            ms=latency.ms,
            operators_ms=latency.operator_ms,
            engines=tuple(row.engine for row in latency.operators),
        )
    except InputError as error:
        raise LatencyError(str(error)) from None
