"""The latency source that times models on a device over adb."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from search_spaces import NasError

from ...source import INTERVAL, Latency, LatencyError, LatencyRequest, LatencySource
from ...tflite.requests import read_tflite, require_same_operators
from ..apportioning import SHARING_RULE
from .conditions import read_conditions, read_temperature_c
from .connection import Connection
from .drift import DriftPolicy, DriftWatch
from .errors import DeviceError
from .placement import Placement
from .runner import Runner
from .statistics import RunStatistics
from .turn import device_lock


class AdbSource(LatencySource):
    """Times each model on the device, then the first model again, to detect drift.

    Raises DeviceErrors, whose ``text`` is the output of the tool. Files on the device are removed
    afterwards. The connection is opened for the first model.
    """

    def __init__(self, connection: Connection, runner: Runner, drift: DriftPolicy) -> None:
        self._connection = connection
        self._runner = runner
        self._watch = DriftWatch(drift)

    def measure(self, request: LatencyRequest) -> Latency:
        """Times the model on the device; DeviceError if that fails."""
        data = request.make_tflite()
        with _errors_naming_model(request):
            require_same_operators(request, read_tflite(data))
            model = self._runner.prepare(data)
            with device_lock(self._connection.serial):
                return self._timed_latency(request, model)

    def run(self, request: LatencyRequest, image: bytes) -> bytes:
        """Runs the file that ``measure`` times; DeviceError if that fails."""
        data = request.make_tflite()
        with _errors_naming_model(request):
            file = read_tflite(data)
            require_same_operators(request, file)
            model = self._runner.prepare(data)
            connection, runner = self._connection, self._runner
            with device_lock(connection.serial):
                connection.wait()
                with connection.temporary_file(model, runner.program.folder, runner.suffix) as path:
                    return runner.run(connection, path, file, image)

    def _timed_latency(self, request: LatencyRequest, model: bytes) -> Latency:
        connection, runner = self._connection, self._runner
        connection.wait()
        before = read_conditions(connection, runner.program.path)

        def measure() -> tuple[RunStatistics, Placement]:
            with connection.temporary_file(model, runner.program.folder, runner.suffix) as path:
                run = runner.time(connection, path)
                return run.statistics, runner.place(connection, path, run, request.operators)

        def probe(reference: bytes) -> RunStatistics:
            with connection.temporary_file(reference, runner.program.folder, runner.suffix) as path:
                return runner.time(connection, path).statistics

        statistics, placement, drift = self._watch.measure_steadily(model, measure, probe)
        after = read_temperature_c(connection, runner.program.path)
        return Latency(
            ms=statistics.ms,
            low_ms=statistics.low_ms,
            high_ms=statistics.high_ms,
            operators=placement.operators,
            on_cpu=placement.on_cpu,
            source=f"adb: {runner.title}",
            operators_shared=placement.rule == SHARING_RULE,
            conditions=(
                ("serial", connection.serial),
                *before,
                *((("temperature_after_c", after),) if after else ()),
                ("runs", str(statistics.runs)),
                (INTERVAL, "where most of these runs are"),
                ("drift", f"{drift:+.1%}"),
                ("operators", placement.rule),
            ),
        )


@contextlib.contextmanager
def _errors_naming_model(request: LatencyRequest) -> Iterator[None]:
    """Adds the name of the model to the messages of errors within the context."""
    try:
        yield
    except DeviceError as error:
        error.prepend_subject(f"{request.name} over adb")
        raise
    except NasError as error:
        raise LatencyError(f"{request.name} over adb: {error}") from error
