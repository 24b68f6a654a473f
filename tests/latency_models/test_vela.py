from __future__ import annotations

import importlib.metadata
import os
import re
import signal
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.resources import files

import pytest

from latency_models import LatencyError, LatencyRequest, LatencySource, Worker
from latency_models.device import device_names, load_device, open_source
from latency_models.sources.cpu_fallback import COST_FACTOR, CpuFallback
from latency_models.sources.vela import VelaSettings, VelaSource, VelaTarget
from latency_models.tflite.requests import read_tflite, request_of_file, require_integer_only
from search_spaces import InputError, InputSpec

from .models import GRAPHS, Models

TARGET = VelaTarget("ethos-u55-256", "Ethos_U55_High_End_Embedded", "Shared_Sram")
FALLBACK = CpuFallback(bandwidth_gb_per_s=0.5, gmac_per_s=0.5)

Open = Callable[[str], LatencySource]

COMPILED = [name for name in device_names() if isinstance(load_device(name).settings, VelaSettings)]
CHECK = re.compile(
    r"ABPN x3 at (\d+)x(\d+) takes ([\d.]+) ms on the NPU and ([\d.]+) ms on the CPU"
)


@pytest.fixture
def opened(worker: Worker) -> Open:
    return lambda name: open_source(load_device(name), worker)


@pytest.mark.parametrize("device", COMPILED)
def test_abpn_takes_what_its_card_says(opened: Open, models: Models, device: str) -> None:
    """By Vela 5.2.0."""
    card = (files("latency_models") / "devices" / device / "README.md").read_text()
    said = CHECK.search(card)
    assert said is not None
    height, width, npu_ms, cpu_ms = map(float, said.groups())
    spec = InputSpec(int(height), int(width))
    assert spec == load_device(device).input
    latency = opened(device).measure(models.request(GRAPHS["abpn"](), spec))
    by_engine = {"npu": 0.0, "cpu": 0.0}
    for row in latency.operators:
        by_engine[row.engine] += row.ms
    assert by_engine == {
        "npu": pytest.approx(npu_ms, rel=0.02), "cpu": pytest.approx(cpu_ms, rel=0.02, abs=0.06),
    }  # fmt: skip
    assert [row.kind for row in latency.operators if row.engine == "cpu"] == ["DEPTH_TO_SPACE"]


def test_fallback_is_listed_costed_and_bounded(opened: Open, models: Models) -> None:
    request = models.request(GRAPHS["resized"]())
    latency = opened("ethos-u55-256").measure(request)
    on_cpu = [row for row in latency.operators if row.engine == "cpu"]
    assert [row.kind for row in on_cpu] == ["DEPTH_TO_SPACE", "RESIZE_BILINEAR"]
    assert latency.on_cpu == tuple(row.name for row in on_cpu)

    pixels, image = 64 * 96 * 3, 9 * 64 * 96 * 3  # bytes at low and at high resolution
    assert [row.ms for row in on_cpu] == pytest.approx(
        [2 * image / 0.5e6, (pixels + image) / 0.5e6]
    )
    cpu_ms = sum(row.ms for row in on_cpu)
    assert latency.high_ms - latency.ms == pytest.approx(cpu_ms * (COST_FACTOR - 1))
    assert latency.ms - latency.low_ms == pytest.approx(cpu_ms * (1 - 1 / COST_FACTOR))


def test_arithmetic_on_the_cpu_is_not_cheap(opened: Open, models: Models) -> None:
    request = models.request(GRAPHS["transposed"]())
    latency = opened("ethos-u55-256").measure(request)
    assert latency.on_cpu == (request.operators[1].name,)
    assert latency.operators[1].ms == pytest.approx(request.operators[1].macs / 0.5e6)
    # The larger NPU takes it.
    assert not opened("ethos-u85-512").measure(request).on_cpu


def test_the_compiler_s_version_stands_with_its_time(opened: Open, models: Models) -> None:
    latency = opened("ethos-u55-256").measure(models.request(GRAPHS["tiny"]()))
    assert latency.source == f"vela {importlib.metadata.version('ethos-u-vela')}"


@pytest.mark.parametrize("name", ["abpn", "xlsr"])
def test_same_request_same_answer(opened: Open, models: Models, name: str) -> None:
    source, request = opened("ethos-u85-512"), models.request(GRAPHS[name]())
    assert source.measure(request) == source.measure(request)


@pytest.mark.parametrize("name", ["abpn", "xlsr"])
def test_weights_do_not_matter(opened: Open, models: Models, name: str) -> None:
    # To 0.1 %: Vela compresses weights, so their number of bytes varies a little.
    source, graph = opened("ethos-u65-512"), GRAPHS[name]()
    untrained = source.measure(models.request(graph))
    trained = source.measure(models.request(graph, noise=0.05))
    assert trained.ms == pytest.approx(untrained.ms, rel=1e-3)


def test_crash_of_the_compiler_fails_one_model_only(opened: Open, models: Models) -> None:
    source, good = opened("ethos-u55-256"), models.request(GRAPHS["tiny"]())
    before = source.measure(good)
    messages = []
    for request in _damaged(good):
        try:
            source.measure(request)
        except LatencyError as error:
            messages.append(str(error))
            if "worker process died" in messages[-1]:
                break
    else:
        pytest.fail(f"none of the damaged files crashes Vela: {messages}")
    assert source.measure(good) == before


def _damaged(request: LatencyRequest) -> Iterator[LatencyRequest]:
    """Files that read well and that Vela stumbles over: a wrong word near the file's root."""
    data = request.make_tflite()
    for offset in range(8, 64, 4):
        damaged = data[:offset] + struct.pack("<I", 7) + data[offset + 4 :]
        try:
            require_integer_only(read_tflite(damaged))
            yield request_of_file("damaged", damaged)
        except InputError:
            continue


def test_time_out_fails_one_model_only(worker: Worker, models: Models) -> None:
    request = models.request(GRAPHS["tiny"]())
    request.make_tflite()
    os.kill(worker.call(60, os.getpid), signal.SIGSTOP)  # it hangs, whatever it is asked
    with pytest.raises(LatencyError, match=r"no answer within 0\.5 s"):
        VelaSource(TARGET, FALLBACK, worker, timeout_seconds=0.5).measure(request)
    assert VelaSource(TARGET, FALLBACK, worker).measure(request).ms > 0


def test_float_model_is_refused_not_timed_as_zero(worker: Worker, models: Models) -> None:
    data = models.float_tflite()
    request = replace(models.request(GRAPHS["tiny"]()), make_tflite=lambda: data)
    with pytest.raises(LatencyError, match=r"not integer-only INT8: CONV_2D .* float32"):
        VelaSource(TARGET, FALLBACK, worker).measure(request)


def test_unknown_target_is_refused_at_once(worker: Worker) -> None:
    with pytest.raises(InputError, match=r"no System_Config\.Mars; it has .*Ethos_U55"):
        VelaSource(replace(TARGET, system_config="Mars"), FALLBACK, worker)
    with pytest.raises(InputError, match=r"no Memory_Mode\.Hard"):
        VelaSource(replace(TARGET, memory_mode="Hard"), FALLBACK, worker)
