"""What every source promises, held for each device that comes with the package, and a board."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from latency_models import LatencyError, LatencySource, Worker
from latency_models.device import device_names, load_device, open_source
from latency_models.sources.host import HostSettings

from .models import GRAPHS, Models
from .regression.transferred import write_transferred

NAMES = [*device_names(), "adb", "transferred"]
#: A regression needs the operators alone.
READERS = ["adb"] + [
    name for name in device_names() if load_device(name).settings.source != "regression"
]


def opened(name: str, request: pytest.FixtureRequest, worker: Worker) -> LatencySource:
    if name == "adb":
        return open_source(request.getfixturevalue("board_device"), worker)
    if name == "transferred":
        folder = write_transferred(request.getfixturevalue("tmp_path"))
        return open_source(load_device(folder), worker)
    device = load_device(name)
    if device.settings.source == "rknn":
        request.getfixturevalue("rknn_interpreter")
    if isinstance(device.settings, HostSettings):
        quick = device.settings.model_copy(update={"minimum_runs": 3, "minimum_seconds": 0.02})
        device = device.model_copy(update={"settings": quick})
    return open_source(device, worker)


@pytest.fixture(params=NAMES)
def source(request: pytest.FixtureRequest, worker: Worker) -> LatencySource:
    return opened(request.param, request, worker)


@pytest.fixture(params=READERS)
def reader(request: pytest.FixtureRequest, worker: Worker) -> LatencySource:
    """A source that looks at the file."""
    return opened(request.param, request, worker)


class TestContract:
    @pytest.mark.parametrize("name", ["abpn", "xlsr", "tiny"])
    def test_answer_is_whole(self, source: LatencySource, models: Models, name: str) -> None:
        request = models.request(GRAPHS[name]())
        latency = source.measure(request)

        assert all(map(math.isfinite, (latency.low_ms, latency.ms, latency.high_ms)))
        assert 0 < latency.low_ms <= latency.ms <= latency.high_ms
        assert [(row.name, row.kind) for row in latency.operators] == [
            (operator.name, operator.kind) for operator in request.operators
        ]
        assert all(row.ms >= 0 for row in latency.operators)
        assert math.isclose(sum(row.ms for row in latency.operators), latency.ms, rel_tol=1e-6)
        assert set(latency.on_cpu) <= {row.name for row in latency.operators}
        assert latency.source
        assert latency.interval

    @pytest.mark.parametrize("data", [b"", b"TFL3", b"\x1c\0\0\0TFL3" + bytes(99), b"\xff" * 999])
    def test_garbage_is_refused(self, reader: LatencySource, models: Models, data: bytes) -> None:
        request = replace(models.request(GRAPHS["tiny"]()), make_tflite=lambda: data)
        with pytest.raises(LatencyError):
            reader.measure(request)

    def test_file_of_another_graph_is_refused(self, reader: LatencySource, models: Models) -> None:
        other = models.request(GRAPHS["abpn"]())
        request = replace(models.request(GRAPHS["tiny"]()), make_tflite=other.make_tflite)
        with pytest.raises(LatencyError, match="the converted file runs"):
            reader.measure(request)


@pytest.mark.parametrize("name", ["ethos-u55-256", "rk3588"])
def test_a_compiler_s_version_is_known_without_compiling(
    request: pytest.FixtureRequest, worker: Worker, models: Models, name: str
) -> None:
    latency = opened(name, request, worker).measure(models.request(GRAPHS["tiny"]()))
    assert load_device(name).settings.compiler() == latency.source


def test_what_no_compiler_tells_has_no_compiler() -> None:
    assert load_device("host").settings.compiler() is None
    assert load_device("vs680").settings.compiler() is None
