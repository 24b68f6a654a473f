from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency_models import Worker
from latency_models.device import load_device, open_source
from latency_models.sources.adb import AdbSource
from latency_models.sources.adb.benchmark_model import BenchmarkModel
from latency_models.sources.adb.converter import filled_in
from latency_models.sources.adb.delegation import Delegate
from latency_models.sources.adb.settings import AdbSettings
from search_spaces import InputError

GOOD = """
name = "board"
title = "A board"
stack = "TFLite 2.16, VeriSilicon 6.4"
operators = "any"
weights = "tensor"
input = "360x640"

[settings]
source = "adb"
serial = "0123456789"

[settings.runner]
tool = "benchmark_model"
path = "/data/local/tmp/benchmark_model"
prefix = "LD_LIBRARY_PATH=/vendor/lib64 taskset f0"

[settings.runner.delegate]
kind = "nnapi"
accelerator = "vsi-npu"
"""
SYNAP = """tool = "synap_cli"
convert = ["synap", "convert", "--model", "{model}", "--out-dir", "{folder}"]
"""


def folder(path: Path, text: str) -> Path:
    (path / "device.toml").write_text(text)
    return path


def runner_of(path: Path, text: str) -> BenchmarkModel:
    settings = load_device(folder(path, text)).settings
    assert isinstance(settings, AdbSettings)
    runner = settings.runner.runner()
    assert isinstance(runner, BenchmarkModel)
    return runner


@pytest.mark.parametrize(
    ("delegate", "expected"),
    [
        (
            'kind = "nnapi"\naccelerator = "vsi-npu"',
            Delegate("NNAPI", "npu", (
                "--use_nnapi=true", "--nnapi_accelerator_name=vsi-npu", "--use_xnnpack=false",
            )),
        ),
        (
            'kind = "external"\nlibrary = "/vendor/lib64/libvx_delegate.so"',
            Delegate("EXTERNAL", "npu", (
                "--external_delegate_path=/vendor/lib64/libvx_delegate.so", "--use_xnnpack=false",
            )),
        ),
        (
            'kind = "external"\nlibrary = "libQnnTFLiteDelegate.so"\noptions = "backend_type:htp"',
            Delegate("EXTERNAL", "npu", (
                "--external_delegate_path=libQnnTFLiteDelegate.so",
                "--external_delegate_options=backend_type:htp", "--use_xnnpack=false",
            )),
        ),
        (
            'kind = "stable"\nsettings = "/data/local/tmp/neuron.json"',
            Delegate("STABLE_DELEGATE", "npu", (
                "--stable_delegate_loader_settings=/data/local/tmp/neuron.json",
                "--use_xnnpack=false",
            )),
        ),
        ('kind = "gpu"', Delegate("GPU", "gpu", ("--use_gpu=true", "--use_xnnpack=false"))),
        ('kind = "xnnpack"', Delegate("XNNPACK", "cpu", ("--use_xnnpack=true",))),
    ],
)  # fmt: skip
def test_each_delegate(tmp_path: Path, delegate: str, expected: Delegate) -> None:
    runner = runner_of(tmp_path, GOOD.replace('kind = "nnapi"\naccelerator = "vsi-npu"', delegate))
    assert runner.delegate == expected
    assert runner.program.prefix == "LD_LIBRARY_PATH=/vendor/lib64 taskset f0"


def test_a_folder_and_a_serial_are_devices(tmp_path: Path, worker: Worker) -> None:
    """Without a device or a server: nothing is asked of either yet."""
    device = load_device(folder(tmp_path, GOOD))
    assert device.measured
    assert isinstance(open_source(device, worker), AdbSource)
    by_serial = load_device("adb:192.168.0.7:5555")
    assert by_serial.name == "adb-192.168.0.7-5555"
    assert by_serial.measured
    assert isinstance(open_source(by_serial, worker), AdbSource)
    other = load_device("adb:192.168.0.8:5555")
    assert by_serial.fingerprint != other.fingerprint


def test_the_folder_of_a_device_does_not_change_it(tmp_path: Path) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        folder(tmp_path / name, GOOD)
    here, there = (load_device(tmp_path / name) for name in ("here", "there"))
    assert here.fingerprint == there.fingerprint


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"nnapi"', '"npu"', r"settings\.runner\.delegate: .*'npu'"),
        ('"vsi-npu"', '"nnapi-reference"', r"settings\.runner\.delegate\.accelerator: .*CPU"),
        ('accelerator = "vsi-npu"', "", r"settings\.runner\.delegate\.accelerator: Field required"),
        ('"benchmark_model"', '"stopwatch"', r"settings\.runner: .*'stopwatch'"),
        ('path = "/data/local/tmp/benchmark_model"', 'path = "a; b"', r"settings\.runner\.path: "),
        ('prefix = "', 'runs = 0\nprefix = "', r"settings\.runner\.runs: .*greater than 0"),
        ('serial = "0123456789"', 'serial = ""', r"settings\.serial: "),
        ('serial = "', 'cool_down_seconds = 1e300\nserial = "', r"settings\.cool_down_seconds: "),
        ('prefix = "', 'timeout_seconds = inf\nprefix = "', r"settings\.runner\.timeout_seconds: "),
        ('serial = "', 'drift_percent = -1.0\nserial = "', r"settings\.drift_percent: "),
        ('tool = "benchmark_model"', 'tool = "synap_cli"', r"settings\.runner\."),
    ],
)
def test_mistake_is_named_by_file_and_key(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(InputError, match=rf"device\.toml: {message}"):
        load_device(folder(tmp_path, GOOD.replace(old, new, 1)))


def test_synap_cli_needs_its_converter(tmp_path: Path) -> None:
    head = GOOD[: GOOD.index("tool =")]
    assert load_device(folder(tmp_path, head + SYNAP)).settings.source == "adb"
    without = head + SYNAP.splitlines()[0]
    with pytest.raises(InputError, match=r"settings\.runner\.convert: Field required"):
        load_device(folder(tmp_path, without))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ('["synap", "convert", "{modle}"]', "no word holds {model}"),
        ('["synap", "{model}", "\\u0000"]', "null character"),
        ("[]", "at least 1 item"),
    ],
)
def test_a_converter_that_cannot_be_called(tmp_path: Path, words: str, message: str) -> None:
    text = GOOD[: GOOD.index("tool =")] + f'tool = "synap_cli"\nconvert = {words}\n'
    with pytest.raises(InputError, match=rf"settings\.runner\.convert: .*{re.escape(message)}"):
        load_device(folder(tmp_path, text))


@given(st.lists(st.text("{}model0!:.\\")))
def test_only_two_braces_of_a_converter_are_filled_in(words: list[str]) -> None:
    filled = filled_in(words, "{folder}", "/f")
    assert filled == [word.replace("{model}", "{folder}") for word in words]
    assert filled_in(["a{folder}b", "{0}", "{{}"], "m", "/f") == ["a/fb", "{0}", "{{}"]


def test_a_serial_must_be_given() -> None:
    with pytest.raises(InputError, match="adb: lacks a serial"):
        load_device("adb:")
