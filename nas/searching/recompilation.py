"""A study that goes on with another version of its device's compiler.

Times of two versions are not compared: what was timed by another version is compiled anew, and
stands beside what the trials keep, their own version's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from latency_models import Latency, LatencyRequest, LatencySource, Worker
from latency_models.device import Device, open_source
from search_spaces import CandidateError

from ..studies.latencies import TrialLatency, read_latencies, write_latencies
from ..studies.record import TrialRecord
from ..studies.study import Study
from .trial_request import trial_request


def recompile(study: Study, device: Device, tell: Callable[[str], None]) -> None:
    """Brings the times of ``study`` to the version of the compiler that is installed.

    ``tell`` hears of it. NasError if the compiler is not there.
    """
    timed = [record for record in study.records() if record.result is not None]
    if not (device.settings.compiles and timed):
        return
    with Worker() as worker:
        _Recompilation(study, device, open_source(device, worker), worker, tell).run(timed)


@dataclass(frozen=True)
class _Recompilation:
    study: Study
    device: Device
    source: LatencySource
    worker: Worker
    tell: Callable[[str], None]

    def run(self, timed: Sequence[TrialRecord]) -> None:
        present = self._present(timed)
        other = [record for record in timed if _source(record) != present]
        if present is None or not other:
            return
        said = ", ".join(
            f"{count} by {source}" for source, count in Counter(map(_source, other)).items()
        )
        self.tell(
            f"{present} is installed, and trials of {self.study.name} were timed by another "
            f"version ({said}): they are compiled anew, to be compared; the trials keep their own"
        )
        rows = []
        for record in other:
            latency = self._latency(record)
            if latency is not None:
                device = self.study.settings.device
                rows.append(TrialLatency(record.number, device, latency))
        file = self.study.folder.latencies
        write_latencies(file, read_latencies(file).with_compiled(tuple(rows)))

    def _present(self, timed: Sequence[TrialRecord]) -> str | None:
        """The version that is installed, as one of the trials tells it; None if it takes none."""
        for record in timed:
            try:
                return self.source.measure(self._request(record)).source
            except CandidateError:
                continue
        return None

    def _latency(self, record: TrialRecord) -> Latency | None:
        try:
            return self.source.measure(self._request(record))
        except CandidateError as error:
            self.tell(f"trial {record.number} keeps the time of {_source(record)}: {error}")
            return None

    def _request(self, record: TrialRecord) -> LatencyRequest:
        return trial_request(self.study, record, self.device.weights, self.worker)


def _source(record: TrialRecord) -> str:
    assert record.result is not None  # only such were timed
    return record.result.latency.source
