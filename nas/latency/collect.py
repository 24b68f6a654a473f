"""Collects measurements for a latency model, and validates the model on others.

Networks are drawn from a search space and chosen by active learning.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latency_models import LatencySource, SourceGone, Worker
from latency_models.device import Device
from latency_models.sources.regression import Measurement
from latency_models.sources.regression.defaults import default_structure
from latency_models.sources.regression.enlargement import name_of
from latency_models.sources.regression.model import LatencyModel, doubt
from latency_models.sources.regression.operator_table import OperatorTable
from latency_models.sources.regression.settings import RegressionSettings
from latency_models.sources.regression.source import fitted_folds, read_table
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

#: Number of first networks, chosen to fill the space evenly; later ones are chosen by a model.
_SPACE_FILLING = 30
#: Number of networks drawn for each one that is measured.
_POOL_SIZE = 32
#: Number of measurements between two fits of the model that chooses networks.
_REFIT_INTERVAL = 20
#: Number of failed measurements in a row that ends the collection.
_MOST_FAILURES = 20
#: Number of combinations in a row that a space may refuse.
_MOST_REFUSED = 2000
#: Strides that keep random seeds apart: pools between two user seeds, and seeds between two draws.
_USER_SEED_STRIDE = 1_000_003
_DRAW_SEED_STRIDE = 97


@dataclass(frozen=True)
class Collection:
    """Measures networks drawn from a space on a device; the table of measurements is in ``folder``.

    InputError if the device's times are predictions.
    """

    device: Device
    source: LatencySource
    worker: Worker
    space: Space
    scale: int
    folder: Path
    seed: int = 0
    #: networks to leave out, for instance those to which a model to be validated was fitted
    but: Networks = NO_NETWORKS

    def __post_init__(self) -> None:
        require_own_times(self.device)

    @property
    def bench(self) -> DeviceBench:
        """Measures single networks and writes them to the table."""
        networks = f"{self.space.name} x{self.scale}"
        return DeviceBench(self.device, self.source, self.worker, self.folder, networks)

    @property
    def table(self) -> CollectedTable:
        """The table in ``folder``."""
        return self.bench.table

    def usable(self, rows: Iterable[Measurement]) -> tuple[Measurement, ...]:
        """Returns ``rows`` without the networks ``but``."""
        return tuple(row for row in rows if not self.but.contains(row.network, row.operators))

    def run(self, samples: int, tell: Callable[[str], None]) -> tuple[Measurement, ...]:
        """Measures until the table has ``samples`` usable rows, and returns them.

        Each row is written before the next measurement; another run continues the table. Raises
        the last CandidateError after ``_MOST_FAILURES`` failures in a row, SourceGone at once if
        the device is gone, and InputError if the table is of another device, input or space, or in
        use by another process.
        """
        with self.table.locked():
            rows = list(self.table.rows())
            failures = 0
            while (done := len(self.usable(rows))) < samples:
                graph = self._next_network(rows, failures)
                try:
                    rows.append(self.bench.measure(graph))
                except SourceGone:
                    raise
                except CandidateError as error:
                    failures += 1
                    if failures == _MOST_FAILURES:
                        raise
                    tell(f"left out: {error}")
                    continue
                failures = 0
                self.table.write(rows)
                tell(f"{done + 1} of {samples}: {rows[-1].name} {rows[-1].ms:.2f} ms")
        return self.usable(rows)

    def draw(self, seed: int) -> Graph:
        """Returns a deployed graph of the space, for the first accepted seed from ``seed`` on.

        Raises InputError, with the last reason, if the space refuses ``_MOST_REFUSED`` in a row.
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

    def _next_network(self, rows: list[Measurement], failures: int) -> Graph:
        """Chooses the next network to measure from a pool of new ones.

        At first the farthest from all measured networks, later the one with the most uncertain
        latency.
        """
        measured = {row.name for row in rows}
        # Depends on the table only, so that a continued collection draws the same networks.
        pools = len(rows) * _MOST_FAILURES + failures
        first = (self.seed * _USER_SEED_STRIDE + pools) * _POOL_SIZE * _DRAW_SEED_STRIDE
        drawn = [self.draw(first + _DRAW_SEED_STRIDE * index) for index in range(_POOL_SIZE)]
        new = [
            (graph, lower(graph, self.device.input))
            for graph in drawn
            if graph.hash not in measured
        ]
        fresh = [
            (graph, lowered) for graph, lowered in new if not self.but.contains(graph.hash, lowered)
        ]
        if not fresh:
            raise InputError(
                f"{_POOL_SIZE} draws of {self.space.name} gave nothing new; lower --samples"
            )
        pool, operators = [graph for graph, _ in fresh], [lowered for _, lowered in fresh]
        if len(rows) < _SPACE_FILLING:
            distance = _distances([row.operators for row in rows], operators)
            return pool[int(distance.argmax())]
        kept = tuple(rows[: len(rows) // _REFIT_INTERVAL * _REFIT_INTERVAL])
        structure = default_structure(kept)
        unseen = [
            any(structure.engine_of(name_of(k)) is None for k in lowered) for lowered in operators
        ]
        if any(unseen):
            return pool[unseen.index(True)]
        return pool[int(doubt(fitted_folds(structure, kept), operators).argmax())]


def _distances(measured: Sequence[Any], pool: Sequence[Any]) -> npt.NDArray[np.float64]:
    """Returns the distance of each network of ``pool`` to the nearest measured one, shape (pool,).

    Distances are Euclidean, between standardized logarithms of work (MACs, output bytes,
    number of operators, output channels).
    """
    import numpy as np

    def features(networks: Sequence[Any]) -> npt.NDArray[np.float64]:
        table = OperatorTable.of(networks)
        columns = [table.macs, table.bytes_out, np.ones(len(table)), table.channels_out]
        return np.log1p(table.per_network(np.stack(columns, axis=1)))

    if not measured:
        return np.zeros(len(pool))
    all_features = features([*measured, *pool])
    all_features = all_features / np.maximum(all_features.std(axis=0), 1e-9)
    old, new = all_features[: len(measured)], all_features[len(measured) :]
    nearest: npt.NDArray[np.float64] = np.linalg.norm(new[:, None] - old[None], axis=2).min(axis=1)
    return nearest


def measure_front(
    collection: Collection, study: Study, tell: Callable[[str], None]
) -> tuple[Measurement, ...]:
    """Measures the Pareto front of ``study`` at its input size, except ``collection.but``.

    A search favors networks whose latency its model underestimates; errors on the front show
    that. The table is in a folder of its own, so that another run continues it.
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
    fresh = [g for g in graphs if not collection.but.contains(g.hash, lower(g, spec))]
    if len(fresh) < len(graphs):
        tell(f"{len(graphs) - len(fresh)} of the front are among the measurements of the fit")
    return bench.run_through(fresh, tell)


@dataclass(frozen=True)
class JudgedModel:
    """A regression to be validated, and the measurements that it was fitted to."""

    model: LatencyModel
    rows: tuple[Measurement, ...]

    @classmethod
    def of(cls, model: Device, device: Device, out: Path) -> JudgedModel:
        """Loads ``model``, to be validated by measurements on ``device`` in the folder ``out``.

        Raises InputError if it is not a regression, if it is a model of another device, or if
        ``out`` is its folder.
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
        """The networks to which the model was fitted."""
        return Networks.of(self.rows)

    @property
    def of_structures(self) -> Accuracy | None:
        """Errors on structures left out of the fit; None if the fit used more than ``rows``."""
        if not self.model.fitted.is_of_its_table:
            return None
        return of_structures(self.model.structure, self.rows, self.model.spread.radius)


@dataclass(frozen=True)
class Validation:
    """Accuracy of a model on new networks, and that of MACs alone."""

    predictions: tuple[Prediction, ...]
    model: Accuracy
    macs: Accuracy


def validate(
    model: LatencyModel, rows: Sequence[Measurement], fresh: Sequence[Measurement]
) -> Validation:
    """Validates a ``model`` fitted to ``rows`` on ``fresh``; InputError if a network is in both."""
    fitted = Networks.of(rows)
    for row in fresh:
        if fitted.contains(row.network, row.operators):
            raise InputError(f"{row.name} is among the measurements of the fit; validate on others")
    predictions = predict_rows(model, fresh)
    return Validation(tuple(predictions), accuracy(predictions), accuracy(macs_alone(rows, fresh)))
