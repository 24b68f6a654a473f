"""LiteRT's benchmark_model on an NPU: its lines, and the whole way over adb."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency_models import LatencyRequest
from latency_models.device import load_device
from latency_models.sources.adb import AdbSource, DeviceError
from latency_models.sources.adb.delegation import Delegate
from latency_models.sources.adb.errors import OperatorsOnCpu
from latency_models.sources.adb.litert_npu import read_npu_delegation
from latency_models.sources.adb.settings import AdbSettings, LitertBenchmarkSettings
from search_spaces import InputError

from ..models import GRAPHS, Models
from ..tflite_builder import TfliteBuilder
from .double import LITERT_TOOL, DeviceDouble
from .test_end_to_end import NOWHERE, adds_up

NPU = Delegate("NPU", "npu", ())
LIBRARIES = "/data/local/tmp/litert"
DISPATCHED = (
    "VERBOSE: Replacing {0} out of {1} node(s) with delegate (DispatchDelegate) node, yielding 1 "
    "partitions for subgraph 0.\n"
)
PARTITIONED = (
    "INFO: [compiler_plugin.cc:739] Partitioned subgraph<0>, selected {0} ops, from a total of {1} "
    "ops. resulted in 1 partitions.\n"
)
XNNPACK = (
    "VERBOSE: Replacing 470 out of 476 node(s) with delegate (TfLiteXNNPackDelegate) node, "
    "yielding 4 partitions for subgraph 0.\n"
)
NO_PLUGIN = "WARNING: [compiled_model.cc:741] Failed to load compiler plugins: no file\n"
REFUSED = (
    "06-08 12:09:32.363  4021  4021 W litert  : [compiled_model.cc:1318] Failed to apply compiler "
    "plugins: refused\n"
)


@given(st.integers(1, 99), st.integers(0, 30), st.integers(0, 30))
def test_what_is_left_is_told_by_both_lines(operators: int, left: int, rewritten: int) -> None:
    """The plugin may have rewritten the graph before it chose."""
    total = operators + rewritten
    text = PARTITIONED.format(max(total - left, 0), max(total, left)) + DISPATCHED.format(
        1, 1 + left
    )
    if left >= operators:
        with pytest.raises(DeviceError, match=f"left {left} of {operators} operators"):
            read_npu_delegation(text, NPU, operators)
        return
    assert read_npu_delegation(text, NPU, operators).taken == operators - left


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the log names no operator on the NPU"),
        (XNNPACK, "it is the CPU's time"),
        (PARTITIONED.format(9, 9), "the log names no operator on the NPU"),
        (PARTITIONED.format(0, 9) + XNNPACK, "the NPU's compiler took no operator"),
        (PARTITIONED.format(9, 9) + DISPATCHED.format(1, 4), "contradict each other"),
        (DISPATCHED.format(1, 10), "left 9 of 9 operators"),
        (NO_PLUGIN + XNNPACK, "could not be used: Failed to load compiler plugins: no file"),
        (DISPATCHED.format(1, 1) + REFUSED, "could not be used: Failed to apply compiler plugins"),
        (DISPATCHED.format(1, 1)[:-9], "the log names no operator on the NPU"),
    ],
)
def test_a_time_of_the_cpu_is_refused(text: str, message: str) -> None:
    with pytest.raises(DeviceError, match=message) as error:
        read_npu_delegation(text, NPU, 9)
    assert error.value.text == text


@pytest.fixture
def phone(board: DeviceDouble) -> DeviceDouble:
    for library in ("Dispatch", "CompilerPlugin"):
        board.write(f"{LIBRARIES}/libLiteRt{library}_Double.so", "")
    board.install_litert("--us=7000")
    return board


@pytest.fixture
def request_(models: Models) -> LatencyRequest:
    return models.request(GRAPHS["abpn"]())


def opened(phone: DeviceDouble, **fields: object) -> AdbSource:
    given = {"dispatch_folder": LIBRARIES, "plugin_folder": LIBRARIES, **fields}
    runner = LitertBenchmarkSettings.model_validate({"tool": "litert_benchmark_model", **given})
    return AdbSettings(source="adb", serial=phone.serial, runner=runner).open(NOWHERE)


def test_a_model_is_compiled_and_timed_on_the_phone(
    phone: DeviceDouble, request_: LatencyRequest
) -> None:
    flag = "--qualcomm_htp_performance_mode=burst"
    latency = opened(phone, flags=[flag], prefix="ADSP_LIBRARY_PATH=/data").measure(request_)
    assert latency.ms == 7.0
    assert latency.source == "adb: LiteRT benchmark_model, NPU"
    assert adds_up(latency, request_)
    assert {row.engine for row in latency.operators} == {"npu"}
    commands = [line for line in phone.commands if "--graph" in line]
    assert len(commands) == 2  # the model, and as the reference
    for command in commands:
        assert command.startswith(f"ADSP_LIBRARY_PATH=/data {LITERT_TOOL} ")
        assert f"--use_npu=true --dispatch_library_path={LIBRARIES}" in command
        assert f"--compiler_plugin_library_path={LIBRARIES} {flag}" in command
    assert phone.models() == []


def test_a_plugin_that_rewrites_the_graph(phone: DeviceDouble, request_: LatencyRequest) -> None:
    phone.install_litert("--us=7000", "--rewritten=3")
    assert opened(phone).measure(request_).ms == 7.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--broken=plugin",), "could not be used: Failed to apply compiler plugins"),
        (("--broken=dispatch",), "the log names no operator on the NPU"),
        (("--left=4",), r"the NPU delegate left 4 of \d+ operators to the CPU without a profile"),
        (("--left=1",), "a time of NPU and CPU together is none of the NPU"),
        (("--left=99",), "the NPU's compiler took no operator"),
    ],
)
def test_what_the_cpu_has_a_part_in_is_refused(
    phone: DeviceDouble, request_: LatencyRequest, options: tuple[str, ...], message: str
) -> None:
    phone.install_litert("--us=7000", *options)
    with pytest.raises(DeviceError, match=message) as error:
        opened(phone).measure(request_)
    assert "count=50 curr=7000" in error.value.text
    assert phone.models() == []


def test_a_folder_without_the_libraries(phone: DeviceDouble, request_: LatencyRequest) -> None:
    with pytest.raises(DeviceError, match="Failed to load compiler plugins"):
        opened(phone, plugin_folder="/data/local/tmp").measure(request_)
    with pytest.raises(DeviceError, match="it is the CPU's time"):
        opened(phone, dispatch_folder="/data/local/tmp").measure(request_)


def test_outputs_are_not_to_be_had(phone: DeviceDouble, request_: LatencyRequest) -> None:
    with pytest.raises(DeviceError, match=r"can neither read an image .* npu_numerics_check"):
        opened(phone).run(request_, b"")


def compiled(*left: str) -> bytes:
    """A file as LiteRT's apply_plugin leaves it, with operators that it did not take."""
    file = TfliteBuilder()
    image = file.tensor((1, 16, 16, 3))
    made = file.add("CUSTOM:DISPATCH_OP", (image,), (1, 16, 16, 3))
    for kind in left:
        made = file.add(kind, (made,), (1, 16, 16, 3))
    return file.build((image,), (made,))


def converter(folder: Path, data: bytes) -> list[str]:
    (folder / "made.tflite").write_bytes(data)
    program = folder / "apply_plugin"
    program.write_text(f'#!/bin/sh\n[ -s "$1" ] && cp {folder}/made.tflite "$2/compiled.tflite"\n')
    program.chmod(0o755)
    return [str(program), "{model}", "{folder}"]


def test_a_model_compiled_on_this_machine(
    phone: DeviceDouble, request_: LatencyRequest, tmp_path: Path
) -> None:
    words = converter(tmp_path, compiled())
    latency = opened(phone, plugin_folder=None, convert=words).measure(request_)
    assert latency.ms == 7.0
    assert not any("compiler_plugin_library_path" in command for command in phone.commands)


def test_a_model_of_which_the_converter_left_a_part(
    phone: DeviceDouble, request_: LatencyRequest, tmp_path: Path
) -> None:
    words = converter(tmp_path, compiled("RELU"))
    with pytest.raises(DeviceError, match=r"left 1 of \d+ operators to the CPU"):
        opened(phone, plugin_folder=None, convert=words).measure(request_)

    phone.commands.clear()
    words = converter(tmp_path, compiled("ADD", "RELU"))
    with pytest.raises(OperatorsOnCpu, match="the converter left 1 of the operators") as error:
        opened(phone, plugin_folder=None, convert=words).measure(request_)
    assert error.value.kinds == ("ADD",)
    assert phone.commands == []


def test_a_converter_that_compiles_nothing(
    phone: DeviceDouble, request_: LatencyRequest, tmp_path: Path
) -> None:
    words = converter(tmp_path, request_.make_tflite())
    with pytest.raises(DeviceError, match="compiled no operator"):
        opened(phone, plugin_folder=None, convert=words).measure(request_)


TOML = """
name = "phone"
title = "A phone"
stack = "LiteRT 2"
operators = "any"
weights = "channel"
input = "360x640"

[settings]
source = "adb"

[settings.runner]
tool = "litert_benchmark_model"
dispatch_folder = "/data/local/tmp/litert"
"""


@pytest.mark.parametrize(
    ("further", "message"),
    [
        ("", "name plugin_folder, to compile on the device, or convert"),
        ('plugin_folder = "/p"\nconvert = ["apply_plugin", "{model}"]', "name plugin_folder"),
        ('convert = ["apply_plugin"]', "no word holds {model}"),
        ('plugin_folder = "/p"\nflags = ["burst"]', "flags"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, further: str, message: str) -> None:
    (tmp_path / "device.toml").write_text(TOML + further)
    with pytest.raises(InputError, match=message):
        load_device(tmp_path)
    (tmp_path / "device.toml").write_text(TOML + 'plugin_folder = "/p"')
    assert load_device(tmp_path).measured
