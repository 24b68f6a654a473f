"""Continues a study with another version of its device's compiler.

Times of different versions cannot be compared. Networks that were timed by another version are
therefore compiled again. The new times are stored in a separate file; the trials keep the old ones.
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

    ``tell`` is called with lines about it. NasError if the compiler is not installed.
    """
    timed = [record for record in study.records() if record.result is not None]
    installed = device.settings.compiler() if timed else None
    others = [record for record in timed if _source(record) != installed]
    if installed is None or not others:
        return
    versions = ", ".join(
        f"{count} by {source}" for source, count in Counter(map(_source, others)).items()
    )
    tell(
        f"{installed} is installed, and trials of {study.name} were timed by another "
        f"version ({versions}): they are compiled again to be comparable; the trials "
        "keep the old times"
    )
    with Worker() as worker:
        _Recompilation(study, device, open_source(device, worker), worker, tell).run(others)


@dataclass(frozen=True)
class _Recompilation:
    """Times trials of a study again with the installed compiler."""

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
    assert record.result is not None  # only trials with a result are compiled again
    return record.result.latency.source
