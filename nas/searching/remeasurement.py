"""Measures the best networks of a search on the reference device, and refits the device's model.

A search by predicted latencies favors networks whose prediction is too low. Each measurement is
stored before the next begins; the same command continues an interrupted run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from latency_models import Latency, LatencyRequest, LatencySource, Worker
from latency_models.device import Device, device_path, load_device, open_source
from latency_models.device_file import device_toml
from latency_models.sources.regression import Measurement, write_measurements
from latency_models.sources.regression.settings import TABLE, RegressionSettings
from latency_models.sources.regression.source import read_table
from search_spaces import CandidateError, InputError, NasError
from search_spaces.naming import from_anywhere

from ..latency.table import require_own_times
from ..studies.folder import StudyFolder
from ..studies.latencies import Latencies, TrialLatency, read_latencies, write_latencies
from ..studies.record import TrialRecord
from ..studies.study import Study
from ..system.files import write_whole
from .trial_request import trial_request

#: Number of candidates that are measured, in addition to the references.
BEST_COUNT = 10
#: Rounds of measuring and refitting, since after a refit other networks may be the best.
_ROUNDS = 3
#: Failures in a row after which the device is considered lost.
_MAX_FAILURES = 3

#: Shows a line of text.
Tell = Callable[[str], None]


def require_known(device: str | None) -> None:
    """Raises InputError if ``device`` is given but unknown; it need not be attached."""
    if device is not None:
        load_device(device)


def known_device(folder: StudyFolder, device: Device) -> Device:
    """Returns the device that was refitted with measurements for the study, else ``device``."""
    if not (folder.refitted / TABLE).exists():
        return device
    return load_device(folder.refitted)


def remeasure_best(study: Study, device: Device, chosen: str | None, tell: Tell) -> None:
    """Measures the best networks of ``study`` on the device ``chosen``.

    If ``chosen`` is None, the device is that of the study's earlier measurements, or else the one
    that ``device`` names as ``confirm``. ``tell`` is called with lines about progress and failures.
    If the device is missing or a network fails, that is reported and no error is raised. Raises
    OSError if nothing can be written.
    """
    settings = device.settings
    if not isinstance(settings, RegressionSettings):
        if chosen:
            tell(f"latencies of {device.name} are no predictions: none is measured on {chosen}")
        return
    before = read_latencies(study.folder.latencies).measured_on
    named = chosen or before or settings.confirm or ""
    name = from_anywhere(named, device_path(named))
    if not name:
        tell(f"latencies are predictions for {device.name}; --confirm DEVICE measures the best")
        return
    try:
        reference = load_device(name)
        require_own_times(reference)
        with Worker() as worker:
            source = open_source(reference, worker)
            _Remeasurement(study, device, settings, name, reference, source, worker, tell).run()
    except NasError as error:
        tell(f"latencies are predictions for {device.name}, {name} is not available: {error}")


@dataclass(frozen=True)
class _Remeasurement:
    """Measures trials on a reference device, and refits the model of the study's device."""

    study: Study
    device: Device
    settings: RegressionSettings
    #: name by which the reference device is loaded
    name: str
    reference: Device
    source: LatencySource
    worker: Worker
    tell: Tell

    def run(self) -> None:
        """Measures and refits until the best networks are measured, or the device is lost."""
        tried: frozenset[int] = frozenset()
        for _ in range(_ROUNDS):
            awaiting = [r for r in self._best() if r.number not in tried]
            tried |= {record.number for record in awaiting}
            self._measure(awaiting)
            latencies = self._latencies()
            if latencies.fitted == latencies.measured_trials:
                return
            self._refit(latencies)

    def _best(self) -> list[TrialRecord]:
        """Returns the trials of references and of the best candidates that are not yet measured."""
        measured = self._latencies().measured_trials
        records = [record for record in self.study.records() if record.result]
        eligible = (r for r in records if r.is_trained_candidate and self._may_be_within_limit(r))
        best = sorted(eligible, key=_log2_score, reverse=True)[:BEST_COUNT]
        references = [record for record in records if record.baseline]
        return [record for record in (*references, *best) if record.number not in measured]

    def _may_be_within_limit(self, record: TrialRecord) -> bool:
        """Returns whether the latency, or the lower end of its interval, is within the limit."""
        assert record.result is not None  # ``_best`` selects trained networks
        limit_ms = self.study.settings.max_latency_ms
        return limit_ms is None or record.result.latency.least_ms <= limit_ms

    def _measure(self, records: list[TrialRecord]) -> None:
        """Measures ``records`` and stores each latency; gives up after failures in a row."""
        failures = 0
        for record in records:
            try:
                latency = self.source.measure(self._request(record))
            except CandidateError as error:
                failures += 1
                self.tell(f"trial {record.number} stays as predicted: {error}")
                if failures == _MAX_FAILURES:
                    return
                continue
            failures = 0
            row = TrialLatency(record.number, self.name, latency)
            self._store(self._latencies().with_measured(self.name, row))
            self.tell(_describe_latency(record, latency, self.name))

    def _refit(self, latencies: Latencies) -> None:
        """Refits the device's model with the measurements, and predicts the other trials again."""
        try:
            refitted = self._write_refitted(latencies)
            source = open_source(refitted, self.worker)
        except InputError as error:
            self.tell(f"the model of {self.device.name} stays as it was: {error}")
            (self.study.folder.refitted / TABLE).unlink(missing_ok=True)
            self._store(latencies.with_predicted(()))
            return
        self._store(latencies.with_predicted(tuple(self._predicted(source, latencies))))
        self.tell(
            f"the model of {self.device.name} is fitted anew with {len(latencies.measured)} "
            f"measurements on {self.name}: {self.study.folder.refitted}"
        )

    def _predicted(self, source: LatencySource, latencies: Latencies) -> Iterator[TrialLatency]:
        """Predictions of ``source`` for all trained trials that were not measured."""
        for record in self.study.records():
            if record.result is None or record.number in latencies.measured_trials:
                continue
            try:
                latency = source.measure(self._request(record))
            except CandidateError as error:
                self.tell(f"trial {record.number} keeps its latency: {error}")
                continue
            yield TrialLatency(record.number, str(self.study.folder.refitted), latency)

    def _write_refitted(self, latencies: Latencies) -> Device:
        """Writes a device folder with the device's measurements and those of the study.

        If the reference device has another software stack, the model treats that as a further
        stack, whose times differ by a fitted factor.
        """
        same = self.reference.stack == self.device.stack
        stack = self.settings.stack if same else self.reference.stack
        rows = [
            *read_table(self.device.folder / self.settings.table),
            *self._rows(latencies, stack, per_operator=same),
        ]
        device = self.device.model_copy(
            update={
                "title": f"{self.device.title}, with what {self.study.name} measured",
                "stack": self.reference.stack,
                "settings": self.settings.model_copy(
                    update={
                        "stack": stack,
                        "confirm": self.name,
                        "table": TABLE,
                        "interval": None,
                    }
                ),
            }
        )
        folder = self.study.folder.refitted
        for table in self.settings.tables:
            if table != self.settings.table:
                write_whole(folder / table, (self.device.folder / table).read_bytes())
        write_whole(folder / "device.toml", device_toml(device).encode())
        write_whole(folder / TABLE, write_measurements(rows).encode())
        return load_device(folder)

    def _rows(self, latencies: Latencies, stack: str, *, per_operator: bool) -> list[Measurement]:
        """Returns the measurements as table rows, with times of operators if ``per_operator``."""
        records = {record.number: record for record in self.study.records()}
        rows = []
        for timed in latencies.measured:
            request, operators = self._request(records[timed.trial]), timed.latency.operators
            rows.append(
                Measurement(
                    name=f"{self.study.name}#{timed.trial}",
                    network=request.graph_hash,
                    operators=request.operators,
                    ms=timed.latency.ms,
                    stack=stack,
                    operators_ms=timed.latency.operator_ms if per_operator else (),
                    engines=tuple(row.engine for row in operators) if per_operator else (),
                )
            )
        return rows

    def _request(self, record: TrialRecord) -> LatencyRequest:
        return trial_request(self.study, record, self.device.weights, self.worker)

    def _latencies(self) -> Latencies:
        """Returns the study's latencies; empty if they were measured on another device."""
        latencies = read_latencies(self.study.folder.latencies)
        return latencies if latencies.measured_on == self.name else Latencies()

    def _store(self, latencies: Latencies) -> None:
        write_latencies(self.study.folder.latencies, latencies)


def _log2_score(record: TrialRecord) -> float:
    assert record.result is not None  # ``_best`` sorts trained networks only
    return record.result.log2_score


def _describe_latency(record: TrialRecord, latency: Latency, device: str) -> str:
    assert record.result is not None  # ``_best`` selects trained networks
    predicted = record.result.latency
    name = record.baseline or f"trial {record.number}"
    return (
        f"{name}: {latency.ms:.2f} ms on {device}; {predicted.ms:.2f} "
        f"({predicted.low_ms:.2f} to {predicted.high_ms:.2f}) predicted"
    )
