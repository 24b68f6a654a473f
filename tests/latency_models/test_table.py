from __future__ import annotations

import contextlib
import hashlib
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from latency_models import LatencyError, LatencyRequest, LatencySource, Worker
from latency_models.device import load_device, open_source
from latency_models.sources.table import read_times
from latency_models.tflite.requests import request_of_file
from search_spaces import InputError, InputSpec

from .models import GRAPHS, SMALL, Models

DEVICE = """
name = "phone"
title = "A phone, by AI Benchmark"
stack = "AI Benchmark 6, NNAPI"
operators = "any"
weights = "tensor"
input = "360x640"

[settings]
source = "csv"
"""
GRAPH = GRAPHS["tiny"]()
HEADER = "model,input,device,ms\n"


def opened(path: Path, table: str, worker: Worker) -> LatencySource:
    (path / "device.toml").write_text(DEVICE)
    (path / "times.csv").write_text(table)
    device = load_device(path)
    assert device.measured
    return open_source(device, worker)


def never() -> bytes:
    raise AssertionError("a model of a graph is converted for nothing")


REQUEST = LatencyRequest.of_graph(GRAPH, SMALL, never)


def test_a_graph_is_found_by_its_hash(tmp_path: Path, worker: Worker) -> None:
    table = (
        "device, model, input, ms, low_ms, high_ms, note\n"
        f"phone,{GRAPH.hash},360x640,99,98,100,another size\n"
        f"tablet,{GRAPH.hash},64x96,77,76,78,another device\n"
        "\n"
        f'phone,{GRAPH.hash},64x96,36.9,36.5,38,"FP16 off, cool"\n'
    )
    latency = opened(tmp_path, table, worker).measure(REQUEST)
    assert (latency.low_ms, latency.ms, latency.high_ms) == (36.5, 36.9, 38.0)
    assert [(row.name, row.kind) for row in latency.operators] == [
        (operator.name, operator.kind) for operator in REQUEST.operators
    ]
    assert math.isclose(sum(row.ms for row in latency.operators), 36.9)
    assert latency.source == "csv"
    conditions = dict(latency.conditions)
    assert conditions["table"] == "times.csv, line 5"
    assert conditions["note"] == "FP16 off, cool"


@pytest.mark.parametrize("digits", [12, 20, 64])
def test_a_file_is_found_by_its_checksum(
    tmp_path: Path, worker: Worker, models: Models, digits: int
) -> None:
    data = models.tflite(GRAPH)
    digest = hashlib.sha256(data).hexdigest()
    source = opened(tmp_path, f"{HEADER}{digest[:digits]},64x96,phone,12.50\n", worker)
    latency = source.measure(request_of_file("m.tflite", data))
    assert latency.ms == 12.5
    # as exact as it was written down
    assert (latency.low_ms, latency.high_ms) == pytest.approx((12.495, 12.505))
    other = replace(request_of_file("m.tflite", data), make_tflite=lambda: data + b"\0")
    with pytest.raises(LatencyError, match=r"m\.tflite: times\.csv has no time of it on phone"):
        source.measure(other)


def test_a_model_that_is_not_there_comes_with_the_line_to_add(
    tmp_path: Path, worker: Worker
) -> None:
    source = opened(tmp_path, HEADER, worker)
    with pytest.raises(LatencyError, match="MILLISECONDS") as error:
        source.measure(REQUEST)
    line = str(error.value).rpartition("add the line ")[2].replace("MILLISECONDS", "20.1")
    assert opened(tmp_path, f"{HEADER}{line}\n", worker).measure(REQUEST).ms == 20.1


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("", "line 1: the columns are missing"),
        ("model,device,ms\n", "line 1: the columns are model,device,ms; they must be model,input,"),
        ("model,input,device,ms,color\n", "line 1: .*color; they must be"),
        ("model,input,device,ms,ms\n", "line 1: the columns are"),
        ("model;input;device;ms\n", "line 1: the columns are model;input;device;ms"),
        (HEADER + "0123456789abcdef,8x8,phone\n", "line 2: 3 values for 4 columns"),
        (HEADER + "\n0123456789abcdef,8x8,phone,1,2\n", "line 3: 5 values for 4 columns"),
        (HEADER + "net.tflite,8x8,phone,1\n", "line 2: model 'net.tflite' is no hash"),
        (HEADER + "0123456789ABCDEF,8x8,phone,1\n", "line 2: model '0123456789ABCDEF' is no hash"),
        (HEADER + "0123456789abcdef,8by8,phone,1\n", "line 2: input size '8by8'"),
        (HEADER + "0123456789abcdef,8x8,phone,fast\n", "line 2: ms 'fast' is no number"),
        (HEADER + "0123456789abcdef,8x8,phone,0\n", "line 2: ms '0' is no number"),
        (HEADER + "0123456789abcdef,8x8,phone,-3\n", "line 2: ms '-3' is no number"),
        (HEADER + "0123456789abcdef,8x8,phone,NaN\n", "line 2: ms 'NaN' is no number"),
        (HEADER + "0123456789abcdef,8x8,phone,1e400\n", "line 2: ms '1e400' is no number"),
        (HEADER + "0123456789abcdef,8x8,phone,\n", "line 2: ms '' is no number"),
        ("model,input,device,ms,low_ms\n0123456789abcdef,8x8,phone,3,4\n", "line 2: 4, 3 and"),
        (HEADER + "0123456789abcdef,8x8,phone,1\n" * 2, "line 3: the same model as in line 2"),
        (HEADER + '0123456789abcdef,8x8,phone,"1\n', "line 2: unexpected end of data"),
    ],
)
def test_the_line_at_fault_is_named(
    tmp_path: Path, worker: Worker, table: str, message: str
) -> None:
    with pytest.raises(InputError, match=rf"times\.csv, {message}") as error:
        opened(tmp_path, table, worker)
    assert "\n" not in str(error.value)


def test_a_table_that_cannot_be_read(tmp_path: Path, worker: Worker) -> None:
    opened(tmp_path, HEADER, worker)
    (tmp_path / "times.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"times\.csv cannot be read"):
        open_source(load_device(tmp_path), worker)
    (tmp_path / "times.csv").unlink()
    with pytest.raises(InputError, match=r"times\.csv cannot be read"):
        open_source(load_device(tmp_path), worker)


def test_a_table_lies_in_the_device_s_folder(tmp_path: Path) -> None:
    (tmp_path / "device.toml").write_text(DEVICE + 'table = "../times.csv"\n')
    with pytest.raises(InputError, match=r"settings\.table: "):
        load_device(tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ms=st.decimals("0.001", "99999", allow_nan=False, places=3),
    size=st.builds(InputSpec, st.integers(1, 4000), st.integers(1, 4000)),
    digest=st.text("0123456789abcdef", min_size=12, max_size=64),
    device=st.text(st.characters(codec="utf-8", exclude_characters='",\r\n\0'), min_size=1),
)
def test_what_is_written_is_read(
    tmp_path: Path, ms: object, size: InputSpec, digest: str, device: str
) -> None:
    file = tmp_path / "times.csv"
    file.write_text(f"\ufeff{HEADER}{digest},{size},{device},{ms}\n", encoding="utf-8")
    [time] = read_times(file)
    assert (time.model, time.input, time.device) == (digest, size, device.strip())
    assert time.ms == float(str(ms))
    assert 0 < time.low_ms < time.ms < time.high_ms


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary())
def test_any_file_is_read_or_refused(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "times.csv"
    file.write_bytes(HEADER.encode() + data)
    with contextlib.suppress(InputError):
        read_times(file)
