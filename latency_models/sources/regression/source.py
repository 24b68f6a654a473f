"""The latency source that predicts by regression, from lowered operators alone."""

from __future__ import annotations

import functools
import gzip
import zlib
from collections.abc import Sequence
from importlib.resources.abc import Traversable

from search_spaces import InputError

from ...source import INTERVAL, PREDICTED, Latency, LatencyRequest, LatencySource, OperatorLatency
from .enlargement import name_of
from .fitted import fit
from .known import Known
from .measurements import Measurement, read_measurements
from .model import (
    Fold,
    LatencyModel,
    Predictions,
    fit_folds,
    fit_model,
    network_model,
)
from .operator_network import OperatorNetwork
from .physical import require_enough
from .spread import COVERAGE
from .structure import CostStructure
from .transfer import transfer_model


class RegressionSource(LatencySource):
    """Predicts latencies by a model fitted to a device's measurements.

    A network that is in the table is also predicted, not looked up: the errors of predictions are
    correlated, so that predictions rank networks better than a mixture with measured times. The
    interval of such a network reaches from the prediction to the measured times.
    """

    def __init__(self, model: LatencyModel, conditions: tuple[tuple[str, str], ...] = ()) -> None:
        """``conditions`` are added to those of every latency."""
        self.model = model
        self._structure = model.structure
        by_stack, stack = model.fitted.tells_stacks_apart, model.structure.stack
        self._known = Known.of([row for row in model.rows if row.stack == stack or not by_stack])
        self._own_conditions = conditions

    def measure(self, request: LatencyRequest) -> Latency:
        """Predicts the latency; UnsupportedOperators if no engine is known to run an operator."""
        return self.measure_all([request])[0]

    def measure_all(self, requests: Sequence[LatencyRequest]) -> list[Latency]:
        """``measure`` of many requests at once, vectorized; about 0.1 ms each."""
        predicted = self.model.predict([request.operators for request in requests])
        latencies, first = [], 0
        for index, request in enumerate(requests):
            latencies.append(self._latency(request, predicted, index, first))
            first += len(request.operators)
        return latencies

    def _latency(
        self, request: LatencyRequest, predicted: Predictions, index: int, first: int
    ) -> Latency:
        waited = predicted.waited_ms[first : first + len(request.operators)].tolist()
        own = predicted.operator_ms[first : first + len(request.operators)].tolist()
        rows = tuple(
            OperatorLatency(
                operator.name,
                operator.kind,
                self._structure.engine_of(name_of(operator)) or "unknown",
                ms,
            )
            for operator, ms in zip(request.operators, waited, strict=True)
        )
        measured, ms = self._known.measured(request.operators), float(predicted.ms[index])
        interval = float(predicted.low_ms[index]), float(predicted.high_ms[index])
        within = [ms, *(row.ms for row in measured)] if measured else interval
        return Latency(
            ms=ms,
            low_ms=min(within),
            high_ms=max(within),
            operators=rows,
            on_cpu=tuple(row.name for row in rows if row.engine == "cpu"),
            source=PREDICTED,
            conditions=self._conditions(rows, own, predicted, index, measured),
        )

    def _conditions(
        self,
        rows: Sequence[OperatorLatency],
        own_ms: Sequence[float],
        predicted: Predictions,
        index: int,
        measured: Sequence[Measurement],
    ) -> tuple[tuple[str, str], ...]:
        """Describes the origin, interval and composition of a prediction."""
        busy = {
            engine.name: sum(
                ms for row, ms in zip(rows, own_ms, strict=True) if row.engine == engine.name
            )
            for engine in self._structure.engines
        }
        never = sorted(predicted.unseen & {row.kind for row in rows})
        how = (
            "engines side by side: an operator counts for what the end waits for"
            if self._structure.side_by_side
            else "the sum of the operators"
        )
        interval = (
            "from the prediction to what was measured of this very network: "
            + ", ".join(f"{row.ms:g} ms" for row in measured)
            if measured
            else f"{COVERAGE:.0%} of networks left out of the fit were within"
            + _reasons_text(predicted.reasons[index])
        )
        return (
            ("measurements", str(self.model.networks)),
            *self._own_conditions,
            (INTERVAL, interval),
            ("total", how),
            ("busy", ", ".join(f"{name} {ms:.2f} ms" for name, ms in busy.items() if ms)),
            *((("stack", self._structure.stack),) if self._structure.stack else ()),
            *(
                (("never measured", f"{', '.join(never)}: {self.model.spread.unseen_method}"),)
                * bool(never)
            ),
        )


def _reasons_text(reasons: Sequence[str]) -> str:
    """Returns the part of a message about operators that widen the interval, or nothing."""
    if not reasons:
        return ""
    return f"; wide for {', '.join(reasons)}, whose price the measurements do not settle"


def read_table(file: Traversable) -> tuple[Measurement, ...]:
    """Reads the measurements of a CSV or CSV.gz file; InputError if it cannot be read."""
    try:
        data = file.read_bytes()
        text = (gzip.decompress(data) if file.name.endswith(".gz") else data).decode("utf-8-sig")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{file}: cannot be read ({reason})") from None
    return read_measurements(text, str(file))


@functools.lru_cache(maxsize=8)
def fitted_model(
    structure: CostStructure, rows: tuple[Measurement, ...], radius: float | None = None
) -> LatencyModel:
    """Returns ``fit_model``, cached within the process; InputError if there are too few rows."""
    require_enough(structure, rows)
    return fit_model(structure, rows, radius)


@functools.lru_cache(maxsize=8)
def learned_model(
    structure: CostStructure, rows: tuple[Measurement, ...], network: bytes, where: str
) -> LatencyModel:
    """Returns ``network_model`` for the bytes of an ``OperatorNetwork`` file ``where``, cached."""
    return network_model(structure, rows, OperatorNetwork.read(network, where))


@functools.lru_cache(maxsize=2)
def fitted_folds(structure: CostStructure, rows: tuple[Measurement, ...]) -> tuple[Fold, ...]:
    """Returns ``fit_folds``, cached; InputError if there are too few rows."""
    require_enough(structure, rows)
    return fit_folds(structure, rows)


@functools.lru_cache(maxsize=8)
def transferred_model(
    structure: CostStructure, donor: tuple[Measurement, ...], rows: tuple[Measurement, ...]
) -> LatencyModel:
    """Returns ``transfer_model`` from the table ``donor`` to the device of ``rows``, cached."""
    require_enough(structure, donor)
    return transfer_model(fit(structure, donor), rows)
