"""Building a latency model: architectures are drawn, measured and kept; a folder is written.

The folder is a device of its own: ``device.toml``, ``measurements.csv`` and a card.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latency_models import LatencySource, Worker
from latency_models.device import Device
from latency_models.sources.regression import Measurement
from latency_models.sources.regression.defaults import default_structure
from latency_models.sources.regression.fitted import FitByNetwork
from latency_models.sources.regression.model import LatencyModel, doubt
from latency_models.sources.regression.operator_table import OperatorTable
from latency_models.sources.regression.settings import RegressionSettings
from latency_models.sources.regression.source import fitted_folds, read_table
from latency_models.sources.regression.transfer import Transferred
from latency_models.sources.regression.validation import (
    Accuracy,
    Prediction,
    accuracy,
    macs_alone,
    predict_rows,
)
from search_spaces import CandidateError, Graph, GraphError, InputError, InputSpec, lower
from search_spaces.spaces.enumeration import RandomTrial
from search_spaces.spaces.space import Space

from ..studies.results import findings
from ..studies.study import Study
from .bench import DeviceBench
from .fit import of_structures
from .table import NO_NETWORKS, CollectedTable, Networks, require_own_times

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
    """What is measured, on what, and where the table is kept.

    InputError of a device whose times are predictions.
    """

    device: Device
    source: LatencySource
    worker: Worker
    space: Space
    scale: int
    folder: Path
    seed: int = 0
    #: networks that are not measured: those of the model that is to be judged
    but: Networks = NO_NETWORKS

    def __post_init__(self) -> None:
        require_own_times(self.device)

    @property
    def bench(self) -> DeviceBench:
        """What measures, and keeps what it measured."""
        networks = f"{self.space.name} x{self.scale}"
        return DeviceBench(self.device, self.source, self.worker, self.folder, networks)

    @property
    def table(self) -> CollectedTable:
        """Where the measurements go."""
        return self.bench.table

    def usable(self, rows: Iterable[Measurement]) -> tuple[Measurement, ...]:
        """Those of ``rows`` that are not of ``but``."""
        return tuple(row for row in rows if not self.but.hold(row.network, row.operators))

    def run(self, samples: int, tell: Callable[[str], None]) -> tuple[Measurement, ...]:
        """Measures until the table holds ``samples`` rows; each is on disk before the next begins.

        Started again it goes on. CandidateError after many failures in a row, with the last reason.
        InputError if the table is of another device, input or space, or somebody is at work on it.
        """
        with self.table.held():
            rows = list(self.table.rows())
            failures = 0
            while (done := len(self.usable(rows))) < samples:
                graph = self._next(rows, failures)
                try:
                    rows.append(self.bench.measure(graph))
                except CandidateError as error:
                    failures += 1
                    if failures == _MOST_FAILURES:
                        raise
                    tell(f"left out: {error}")
                    continue
                failures = 0
                self.table.keep(rows)
                tell(f"{done + 1} of {samples}: {rows[-1].name} {rows[-1].ms:.2f} ms")
        return self.usable(rows)

    def draw(self, seed: int) -> Graph:
        """A deployed graph of the space: the first valid one from ``seed`` on.

        InputError, with the last reason, if the space refuses a great many in a row.
        """
        for attempt in range(_MOST_REFUSED):
            try:
                return self.space.draw(
                    RandomTrial(random.Random(seed + attempt)), self.scale
                ).deployed
            except GraphError as error:
                reason = str(error)
        raise InputError(
            f"search space {self.space.name}: refuses all of {_MOST_REFUSED} combinations drawn, "
            f"the last one for this: {reason}"
        )

    def _next(self, rows: list[Measurement], failures: int) -> Graph:
        """Of a pool not yet measured: the farthest from all that is, then the least sure."""
        known = {row.name for row in rows}
        # From what is on disk alone, so that a collection started again goes on as it would have.
        pools = len(rows) * _MOST_FAILURES + failures
        first = (self.seed * _PER_SEED + pools) * _POOL * _APART
        drawn = [self.draw(first + _APART * index) for index in range(_POOL)]
        new = [
            (graph, lower(graph, self.device.input)) for graph in drawn if graph.hash not in known
        ]
        fresh = [(graph, ks) for graph, ks in new if not self.but.hold(graph.hash, ks)]
        if not fresh:
            raise InputError(
                f"{_POOL} draws of {self.space.name} gave nothing new; lower --samples"
            )
        pool, operators = [graph for graph, _ in fresh], [ks for _, ks in fresh]
        if len(rows) < _SPACE_FILLING:
            distance = _distances([row.operators for row in rows], operators)
            return pool[int(distance.argmax())]
        kept = tuple(rows[: len(rows) // _REFIT * _REFIT])
        seen = default_structure(kept)
        unknown = [any(seen.engine_of(k.kind) is None for k in ks) for ks in operators]
        if any(unknown):
            return pool[unknown.index(True)]
        return pool[int(doubt(fitted_folds(seen, kept), operators).argmax())]


def _distances(measured: Sequence[Any], pool: Sequence[Any]) -> npt.NDArray[np.float64]:
    """(pool,): how far each lies from the nearest measured one, in logarithms of its work."""
    import numpy as np

    def place(networks: Sequence[Any]) -> npt.NDArray[np.float64]:
        table = OperatorTable.of(networks)
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
    collection: Collection, study: Study, tell: Callable[[str], None]
) -> tuple[Measurement, ...]:
    """The Pareto front of ``study`` at its own input size, but for what the collection leaves out.

    What a search has found is where it trusted its model most. The table lies in a folder of its
    own, so that it goes on where it was stopped.
    """
    spec = InputSpec.parse(study.settings.input)
    bench = DeviceBench(
        collection.device.model_copy(update={"input": spec}),
        collection.source,
        collection.worker,
        collection.folder / f"front-{study.name}",
        f"the front of {study.name}",
    )
    graphs = [finding.network.deployed for finding in findings(study)]
    fresh = [g for g in graphs if not collection.but.hold(g.hash, lower(g, spec))]
    if len(fresh) < len(graphs):
        tell(f"{len(graphs) - len(fresh)} of the front are among the measurements of the fit")
    return bench.run_through(fresh, tell)


@dataclass(frozen=True)
class JudgedModel:
    """A regression, and the measurements that it was fitted to."""

    model: LatencyModel
    rows: tuple[Measurement, ...]

    @classmethod
    def of(cls, model: Device, device: Device, out: Path) -> JudgedModel:
        """``model``, to be judged by what is measured on ``device`` into ``out``.

        InputError if it is no regression, or of another device, or if ``out`` holds its own table.
        """
        require_own_times(device)
        settings, folder = model.settings, Path(str(model.folder))
        if not isinstance(settings, RegressionSettings):
            raise InputError(f"device {model.name} is no regression; `nas latency fit` makes one")
        if out.resolve() == folder.resolve():
            raise InputError(f"{out}: holds the model's own table; name another folder by --out")
        rows = read_table(model.folder / settings.table)
        others = {row.origin.device for row in rows if row.origin} - {device.name}
        if others:
            raise InputError(f"{model.name} is a model of {min(others)}, not of {device.name}")
        return cls(settings.fit(model.folder), rows)

    @property
    def networks(self) -> Networks:
        """Those of the fit."""
        return Networks.of(self.rows)

    @property
    def of_structures(self) -> Accuracy | None:
        """Errors on structures that the table is left without; None of a model that comes from more
        than its table.
        """
        if isinstance(self.model.fitted, Transferred | FitByNetwork):
            return None
        return of_structures(self.model.structure, self.rows, self.model.spread.radius)


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
    fitted = Networks.of(rows)
    for row in fresh:
        if fitted.hold(row.network, row.operators):
            raise InputError(f"{row.name} is among the measurements of the fit; validate on others")
    predictions = predict_rows(model, fresh)
    return Validation(tuple(predictions), accuracy(predictions), accuracy(macs_alone(rows, fresh)))
