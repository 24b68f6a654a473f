"""``nas latency`` with a board, as a person uses it."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from nas.checking.doctor import attached_devices
from tests.nas.commands import execute, run, run_json, start
from tests.nas.tiny_model import make_tflite

from .double import DeviceDouble
from .test_settings import GOOD


@pytest.fixture
def place(tmp_path: Path, board: DeviceDouble) -> Path:
    """A model, and the board's folder."""
    folder = tmp_path / "place"
    (folder / "board").mkdir(parents=True)
    (folder / "m.tflite").write_bytes(make_tflite())
    text = GOOD.replace("0123456789", board.serial)
    text = text.replace('prefix = "LD_LIBRARY_PATH=/vendor/lib64 taskset f0"', 'prefix = "A=1"')
    (folder / "board/device.toml").write_text(text)
    board.install("--us=5000")
    return folder


def test_a_folder_s_board(place: Path) -> None:
    answer = run_json(place, "latency", "measure", "m.tflite", "--device", "board")
    assert answer["device"] == "board"
    assert answer["source"] == "adb: benchmark_model, NNAPI"
    assert answer["low_ms"] == answer["ms"] == answer["high_ms"] == 5.0
    [row] = answer["operators"]
    assert (row["kind"], row["engine"]) == ("RESIZE_NEAREST_NEIGHBOR", "npu")
    assert answer["on_cpu"] == []
    assert answer["conditions"]["drift"] == "+0.0%"


def test_a_serial(place: Path, board: DeviceDouble) -> None:
    said = run(place, "latency", "measure", "m.tflite", "--device", f"adb:{board.serial}")
    assert "5.00 ms (5.00 to 5.00), adb: benchmark_model, XNNPACK" in said
    assert f"serial: {board.serial}" in said


def test_a_refusal_is_one_line_and_a_log(place: Path, board: DeviceDouble) -> None:
    board.install("--us=5000", "--left=RESIZE_NEAREST_NEIGHBOR")
    words = ("latency", "measure", "m.tflite", "--device", "board", "--log", "said.txt")
    answer = execute(place, *words)
    assert (answer.code, answer.output) == (1, "")
    assert answer.errors.startswith("error: m.tflite over adb: the NNAPI delegate took no operator")
    assert answer.errors.count("\n") == 1
    said = (place / "said.txt").read_text()
    assert said.startswith("INFO: STARTING!\n")
    assert "count=50 curr=5000(all same)" in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_command_leaves_nothing_on_the_board(
    place: Path, board: DeviceDouble, number: signal.Signals
) -> None:
    board.install("--us=5000", "--hang=600")
    process = start(place, "latency", "measure", "m.tflite", "--device", "board")
    deadline = time.monotonic() + 120
    while not board.models():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (130, "")
    assert board.models() == []


@pytest.mark.parametrize("words", [("probe", "--networks", "3"), ("collect", "--samples", "3")])
def test_a_board_that_is_gone_ends_a_table_of_measurements_at_once(
    place: Path, board: DeviceDouble, words: tuple[str, ...]
) -> None:
    """Each network would wait for it in vain, and would be replaced by another one."""
    file = place / "board/device.toml"
    text = file.read_text().replace("360x640", "24x24")
    file.write_text(text.replace("[settings.runner]", "reconnect_seconds = 1\n[settings.runner]"))
    board.unplug()
    answer = execute(place, "latency", *words, "--device", "board", "--out", "table")
    assert (answer.code, answer.output) == (1, "")
    assert "plug it in" in answer.errors
    assert answer.errors.count("\n") == 1


def test_a_board_is_not_predicted(place: Path) -> None:
    answer = execute(place, "latency", "predict", "m.tflite", "--device", "board")
    assert answer.code == 2
    assert "`nas latency measure`" in answer.errors


def test_the_doctor_lists_boards_and_starts_no_server(
    board: DeviceDouble, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(place, "latency", "measure", "m.tflite", "--device", "board")
    assert f"{board.serial} (device)" in attached_devices()
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", "1")
    assert "no server runs" in attached_devices()
