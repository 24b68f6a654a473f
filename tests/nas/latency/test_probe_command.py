"""``nas latency probe`` over a real adb server, as a person runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from latency_models.sources.regression.source import read_table

from ...latency_models.adb.double import DeviceDouble
from ...latency_models.adb.fixtures import adb_server, board, plugged, private_adb
from ..console import Console

__all__ = ["adb_server", "board", "plugged", "private_adb"]

_DEVICE = """
name = "board"
title = "A board"
stack = "none"
operators = "any"
weights = "channel"
input = "16x16"

[settings]
source = "adb"
serial = "{serial}"
drift_percent = 1000000.0

[settings.runner]
tool = "benchmark_model"
warmup_runs = 1
runs = 2
profile_runs = 0

[settings.runner.delegate]
kind = "nnapi"
accelerator = "vsi-npu"
"""


def probe(console: Console, *words: str) -> tuple[int, str, str]:
    return console.run_whole("latency", "probe", "--device", "board", *words)


@pytest.fixture
def device(console: Console, board: DeviceDouble) -> DeviceDouble:
    folder = console.folder / "board"
    folder.mkdir()
    (folder / "device.toml").write_text(_DEVICE.format(serial=board.serial))
    board.install("--us=3000")
    return board


def test_the_plan_is_measured_and_gone_on_with(device: DeviceDouble, console: Console) -> None:
    code, output, _ = probe(console, "--list", "--networks", "3", "--json")
    planned = json.loads(output)
    assert code == 0
    assert device.commands == []  # nothing is run for a list

    code, output, errors = probe(console, "--networks", "2", "--out", "t")
    assert code == 0, errors
    assert "2 of 2: " in errors
    assert "2 networks measured on board" in output
    first = read_table(Path("t/measurements.csv"))
    assert {row.ms for row in first} == {3.0}

    code, _, errors = probe(console, "--networks", "3", "--out", "t")
    assert code == 0, errors
    rows = read_table(Path("t/measurements.csv"))
    assert rows[:2] == first
    assert len(rows) == 3
    assert len(planned) == 3


def test_what_is_asked_wrongly_is_refused(console: Console) -> None:
    refused = ("latency", "probe", "--device", "host")
    console.refuse(2, "--out", *refused)
    console.refuse(
        2, "its times are predictions", "latency", "probe", "--device", "vs680", "--list"
    )
