"""Building a latency model: architectures are drawn, measured and kept; a folder is written.

The folder is a device of its own: ``device.toml``, ``measurements.csv`` and a card.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latency_models import Latency, LatencyRequest, LatencySource, Worker
from latency_models.device import Device
from latency_models.regression import Measurement
from latency_models.regression.defaults import default_recipe
from latency_models.regression.kernel_table import KernelTable
from latency_models.regression.measurements import write_measurements
from latency_models.regression.model import LatencyModel, doubt
from latency_models.regression.settings import TABLE
from latency_models.regression.source import fitted_parts, read_table
from latency_models.regression.validation import (
    Accuracy,
    Prediction,
    accuracy,
    macs_alone,
    predict_rows,
)
from search_spaces import CandidateError, Graph, GraphError, InputError, InputSpec
from search_spaces.space import Space
from search_spaces.walks import Walk

from .files import write_whole
from .laboratory import untrained_request
from .studies.results import findings
from .studies.study import Study

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

#: So many are chosen to fill the space before any model is asked.
_SPACE_FILLING = 30
#: Of so many drawn, one is measured.
_POOL = 32
#: Measurements between two fits.
_REFIT = 20
_MOST_FAILURES = 20
#: Combinations in a row that a space may refuse before nothing more is drawn from it.
_MOST_REFUSED = 2000
#: Pools of one seed, and seeds between two draws, for combinations that a space refuses.
_PER_SEED = 1_000_003
_APART = 97


@dataclass(frozen=True)
class Collection:
    """What is measured, on what, and where the table is kept."""

    device: Device
    source: LatencySource
    worker: Worker
    space: Space
    scale: int
    folder: Path
    seed: int = 0

    def run(self, samples: int, tell: Callable[[str], None]) -> tuple[Measurement, ...]:
        """Measures until the table holds ``samples`` rows; each is on disk before the next begins.

        Started again it goes on. CandidateError after many failures in a row, with the last reason.
        """
        rows = list(self._kept())
        failures = 0
        while len(rows) < samples:
            graph = self._next(rows, failures)
            try:
                rows.append(self.measure(graph))
            except CandidateError as error:
                failures += 1
                if failures == _MOST_FAILURES:
                    raise
                tell(f"left out: {error}")
                continue
            failures = 0
            self._keep(rows)
            tell(f"{len(rows)} of {samples}: {rows[-1].name} {rows[-1].ms:.2f} ms")
        return tuple(rows)

    def run_through(
        self, graphs: Iterable[Graph], tell: Callable[[str], None]
    ) -> tuple[Measurement, ...]:
        """Measures each of ``graphs`` that the table lacks; gives the rows of those it has then."""
        rows = list(self._kept())
        wanted = {graph.hash: graph for graph in graphs}
        known = {row.name for row in rows}
        for name, graph in wanted.items():
            if name in known:
                continue
            try:
                rows.append(self.measure(graph))
            except CandidateError as error:
                tell(f"left out: {error}")
                continue
            self._keep(rows)
            tell(f"{name} {rows[-1].ms:.2f} ms")
        return tuple(row for row in rows if row.name in wanted)

    def measure(self, graph: Graph) -> Measurement:
        """One architecture on the device."""
        request = untrained_request(self.worker, graph, self.device.input, self.device.weights)
        return measurement_of(request, self.source.measure(request))

    def draw(self, seed: int) -> Graph:
        """A deployed graph of the space: the first valid one from ``seed`` on.

        InputError, with the last reason, if the space refuses a great many in a row.
        """
        for attempt in range(_MOST_REFUSED):
            try:
                return self.space.draw(Walk(random.Random(seed + attempt)), self.scale).deployed
            except GraphError as error:
                reason = str(error)
        raise InputError(
            f"search space {self.space.name}: refuses all of {_MOST_REFUSED} combinations drawn, "
            f"the last one for this: {reason}"
        )

    def _kept(self) -> tuple[Measurement, ...]:
        return read_table(self.folder / TABLE) if (self.folder / TABLE).exists() else ()

    def _keep(self, rows: Sequence[Measurement]) -> None:
        write_whole(self.folder / TABLE, write_measurements(rows).encode())

    def _next(self, rows: list[Measurement], failures: int) -> Graph:
        """Of a pool not yet measured: the farthest from all that is, then the least sure."""
        known = {row.name for row in rows}
        # From what is on disk alone, so that a collection started again goes on as it would have.
        pools = len(rows) * _MOST_FAILURES + failures
        first = (self.seed * _PER_SEED + pools) * _POOL * _APART
        drawn = [self.draw(first + _APART * index) for index in range(_POOL)]
        pool = [graph for graph in drawn if graph.hash not in known]
        if not pool:
            raise InputError(
                f"{_POOL} draws of {self.space.name} gave nothing new; lower --samples"
            )
        kernels = [LatencyRequest.of_graph(g, self.device.input, bytes).kernels for g in pool]
        if len(rows) < _SPACE_FILLING:
            distance = _distances([row.kernels for row in rows], kernels)
            return pool[int(distance.argmax())]
        kept = tuple(rows[: len(rows) // _REFIT * _REFIT])
        seen = default_recipe(kept)
        unknown = [any(seen.engine_of(k.kind) is None for k in ks) for ks in kernels]
        if any(unknown):
            return pool[unknown.index(True)]
        return pool[int(doubt(fitted_parts(seen, kept), kernels).argmax())]


def measurement_of(request: LatencyRequest, latency: Latency) -> Measurement:
    """The row of a table: what was asked for, and its time."""
    return Measurement(
        name=request.name,
        kernels=request.kernels,
        ms=latency.ms,
        operators_ms=latency.told_ms,
        engines=tuple(row.engine for row in latency.operators),
    )


def _distances(measured: Sequence[Any], pool: Sequence[Any]) -> npt.NDArray[np.float64]:
    """(pool,): how far each lies from the nearest measured one, in logarithms of its work."""
    import numpy as np

    def place(networks: Sequence[Any]) -> npt.NDArray[np.float64]:
        table = KernelTable.of(networks)
        columns = [table.macs, table.bytes_out, np.ones(len(table)), table.channels_out]
        return np.log1p(table.per_network(np.stack(columns, axis=1)))

    if not measured:
        return np.zeros(len(pool))
    both = place([*measured, *pool])
    both = both / np.maximum(both.std(axis=0), 1e-9)
    old, new = both[: len(measured)], both[len(measured) :]
    nearest: npt.NDArray[np.float64] = np.linalg.norm(new[:, None] - old[None], axis=2).min(axis=1)
    return nearest


def measure_front(
    collection: Collection,
    study: Study,
    rows: Sequence[Measurement],
    tell: Callable[[str], None],
) -> tuple[Measurement, ...]:
    """The Pareto front of ``study`` at its own input size, without what ``rows`` hold already.

    What a search has found is where it trusted its model most. The table lies in a folder of its
    own, so that it goes on where it was stopped.
    """
    spec = InputSpec.parse(study.settings.input)
    at_its_size = replace(
        collection,
        device=collection.device.model_copy(update={"input": spec}),
        folder=collection.folder / f"front-{study.name}",
    )
    known = {row.network for row in rows}
    graphs = [finding.network.deployed for finding in findings(study)]
    fresh = [graph for graph in graphs if graph.hash not in known]
    if len(fresh) < len(graphs):
        tell(f"{len(graphs) - len(fresh)} of the front are among the measurements of the fit")
    return at_its_size.run_through(fresh, tell)


@dataclass(frozen=True)
class Validation:
    """A model's figures on networks it has not seen, and those of MACs alone."""

    predictions: tuple[Prediction, ...]
    model: Accuracy
    macs: Accuracy


def validate(
    model: LatencyModel, rows: Sequence[Measurement], fresh: Sequence[Measurement]
) -> Validation:
    """Of a ``model`` of ``rows`` on ``fresh``; InputError if a network is in both."""
    both = sorted({row.network for row in rows} & {row.network for row in fresh})
    if both:
        raise InputError(f"{both[0]} is among the measurements of the fit; validate on others")
    predictions = predict_rows(model, fresh)
    return Validation(tuple(predictions), accuracy(predictions), accuracy(macs_alone(rows, fresh)))
