"""Continues a study with another version of its device's compiler.

Times of different versions cannot be compared: networks timed by another version are compiled
again. Their new times are stored beside the trials, which keep the old ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from latency_models import Latency, LatencySource, Worker
from latency_models.device import Device, open_source
from search_spaces import CandidateError

from ..studies.latencies import TrialLatency, read_latencies, write_latencies
from ..studies.record import TrialRecord
from ..studies.study import Study
from .trial_request import trial_request


def recompile(study: Study, device: Device, tell: Callable[[str], None]) -> None:
    """Compiles networks of ``study`` again that were timed by another version of the compiler.

    ``tell`` is called with a line about it. NasError if the compiler is not installed.
    """
    timed = [record for record in study.records() if record.result is not None]
    present = device.settings.compiler() if timed else None
    others = [record for record in timed if _source(record) != present]
    if present is None or not others:
        return
    said = ", ".join(
        f"{count} by {source}" for source, count in Counter(map(_source, others)).items()
    )
    tell(
        f"{present} is installed, and trials of {study.name} were timed by another "
        f"version ({said}): they are compiled anew, to be compared; the trials keep their own"
    )
    with Worker() as worker:
        _Recompilation(study, device, open_source(device, worker), worker, tell).run(others)


@dataclass(frozen=True)
class _Recompilation:
    study: Study
    device: Device
    source: LatencySource
    worker: Worker
    tell: Callable[[str], None]

    def run(self, records: Sequence[TrialRecord]) -> None:
        rows = []
        for record in records:
            latency = self._latency(record)
            if latency is not None:
                device = self.study.settings.device
                rows.append(TrialLatency(record.number, device, latency))
        file = self.study.folder.latencies
        write_latencies(file, read_latencies(file).with_compiled(tuple(rows)))

    def _latency(self, record: TrialRecord) -> Latency | None:
        request = trial_request(self.study, record, self.device.weights, self.worker)
        try:
            return self.source.measure(request)
        except CandidateError as error:
            self.tell(f"trial {record.number} keeps the time of {_source(record)}: {error}")
            return None


def _source(record: TrialRecord) -> str:
    assert record.result is not None  # only such were timed
    return record.result.latency.source
