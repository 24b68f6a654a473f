"""The whole way over a real adb server: push, run, read, refuse, clean up."""

from __future__ import annotations

import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from latency_models import Latency, LatencyError, LatencyRequest, Worker
from latency_models.sources.adb import AdbSource, DeviceError, DeviceLost
from latency_models.sources.adb.errors import OperatorsOnCpu
from latency_models.sources.adb.settings import (
    AdbSettings,
    BenchmarkModelSettings,
    NnapiDelegate,
    SynapCliSettings,
    XnnpackDelegate,
)
from latency_models.sources.settings import SourcePlace

from ..models import GRAPHS, Models
from .double import TOOL, DeviceDouble
from .fixtures import Plugged
from .outputs import SYNAP, SYNAP_PROFILE

#: A board needs no folder, and no process but its own.
NOWHERE = SourcePlace("board", Path(), Worker())
NNAPI = NnapiDelegate(kind="nnapi", accelerator="vsi-npu")


@pytest.fixture
def request_(models: Models) -> LatencyRequest:
    return models.request(GRAPHS["abpn"]())


def source(
    double: DeviceDouble,
    delegate: NnapiDelegate | XnnpackDelegate = NNAPI,
    *,
    profile_runs: int = 2,
    timeout_seconds: float = 60.0,
    reconnect_seconds: float = 20.0,
    drift_percent: float = 1e6,
) -> AdbSource:
    """Of few runs; what the machine does beside them must not count as drift."""
    runner = BenchmarkModelSettings(
        tool="benchmark_model",
        delegate=delegate,
        warmup_runs=1,
        runs=3,
        profile_runs=profile_runs,
        timeout_seconds=timeout_seconds,
    )
    return AdbSettings(
        source="adb",
        serial=double.serial,
        runner=runner,
        reconnect_seconds=reconnect_seconds,
        drift_percent=drift_percent,
        cool_down_seconds=0.0,
    ).open(NOWHERE)


def adds_up(latency: Latency, request: LatencyRequest) -> bool:
    named = [(row.name, row.kind) for row in latency.operators]
    assert named == [(operator.name, operator.kind) for operator in request.operators]
    return math.isclose(sum(row.ms for row in latency.operators), latency.ms, rel_tol=1e-9)


def test_a_model_is_measured(board: DeviceDouble, request_: LatencyRequest) -> None:
    latency = source(board).measure(request_)
    assert 0 < latency.low_ms <= latency.ms <= latency.high_ms
    assert adds_up(latency, request_)
    assert {row.engine for row in latency.operators} == {"npu"}
    assert latency.on_cpu == ()
    assert latency.source == "adb: benchmark_model, NNAPI"
    commands = [line for line in board.commands if line.startswith(TOOL)]
    # timed, profiled, and the reference
    assert len(commands) == 3
    assert all("--use_nnapi=true --nnapi_accelerator_name=vsi-npu" in line for line in commands)
    assert ["--enable_op_profiling=true" in line for line in commands] == [False, True, False]
    assert board.models() == []


def test_a_larger_model_takes_longer(board: DeviceDouble, models: Models) -> None:
    opened = source(board, XnnpackDelegate(kind="xnnpack"))
    small, large = (opened.measure(models.request(GRAPHS[name]())) for name in ("tiny", "abpn"))
    assert small.ms < large.ms


def test_conditions_are_recorded_where_they_can_be_read(
    board: DeviceDouble, request_: LatencyRequest
) -> None:
    bare = dict(source(board).measure(request_).conditions)
    assert bare["serial"] == board.serial
    assert bare["runs"] == "3"
    assert len(bare["tool_sha256"]) == 12
    assert "governor" not in bare
    assert "temperature_c" not in bare

    board.write("/bin/getprop", "#!/bin/sh\necho the $1\n")
    for core, governor in enumerate(("schedutil", "performance", "schedutil")):
        board.write(f"/sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor", governor + "\n")
    for zone, temperature in enumerate(("41500", "38", "-274000", "no number")):
        board.write(f"/sys/class/thermal/thermal_zone{zone}/temp", temperature + "\n")
    full = dict(source(board).measure(request_).conditions)
    assert full["model"] == "the ro.product.model"
    assert full["governor"] == "performance schedutil"
    assert full["temperature_c"] == full["temperature_after_c"] == "41.5"


def test_a_partial_delegate_is_refused_for_a_convolution(
    board: DeviceDouble, request_: LatencyRequest
) -> None:
    board.install("--left=CONV_2D", "--left_share=0.01")
    with pytest.raises(
        OperatorsOnCpu, match=r"left 7 of the operators that count .*CONV_2D"
    ) as error:
        source(board).measure(request_)
    assert request_.name in str(error.value)
    assert "partially executed by the delegate" in error.value.text
    assert error.value.kinds == ("CONV_2D",)
    with pytest.raises(DeviceError, match=r"left 7 of \d+ operators .* without a profile"):
        source(board, profile_runs=0).measure(request_)
    assert board.models() == []


def test_a_partial_delegate_may_leave_what_takes_no_time(
    board: DeviceDouble, request_: LatencyRequest
) -> None:
    board.install("--left=DEPTH_TO_SPACE", "--left_share=0.04")
    latency = source(board).measure(request_)
    [row] = [row for row in latency.operators if row.engine == "cpu"]
    assert row.kind == "DEPTH_TO_SPACE"
    assert latency.on_cpu == (row.name,)
    assert row.ms == pytest.approx(0.04 * latency.ms, rel=1e-3)
    assert adds_up(latency, request_)

    board.install("--left=DEPTH_TO_SPACE", "--left_share=0.06")
    with pytest.raises(DeviceError, match=r"DEPTH_TO_SPACE on the CPU take 6.0% of the time"):
        source(board).measure(request_)


def test_a_fallback_to_the_processor_is_refused(board: DeviceDouble, models: Models) -> None:
    """The tool prints a good-looking time all the same."""
    request = models.request(GRAPHS["tiny"]())
    board.install_text(
        "INFO: NNAPI delegate created.\n"
        "INFO: Though NNAPI delegate is explicitly applied, the model graph will not be executed "
        "by the delegate.\n"
        "INFO: Running benchmark for at least 1 iterations\nINFO: count=1 curr=410\n"
        "INFO: Running benchmark for at least 9 iterations\nINFO: count=9 curr=404(all same)\n"
        "INFO: Inference timings in us: Init: 9, First inference: 410, Warmup (avg): 410, "
        "Inference (avg): 404\n"
    )
    with pytest.raises(DeviceError, match="the NNAPI delegate took no operator") as error:
        source(board).measure(request)
    assert "count=9 curr=404" in error.value.text
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["", "\0\xff\x17", "INFO: STARTING!\nINFO: count=", "count=0\n"])
def test_a_garbled_output_is_refused(
    board: DeviceDouble, request_: LatencyRequest, text: str
) -> None:
    board.install_text(text)
    with pytest.raises(DeviceError, match="no usable times from benchmark_model"):
        source(board).measure(request_)
    board.install()
    assert source(board).measure(request_).ms > 0


def test_a_tool_that_fails_or_is_missing(board: DeviceDouble, request_: LatencyRequest) -> None:
    board.install_text("INFO: STARTING!\nERROR: Benchmarking failed.\n", code=1)
    with pytest.raises(DeviceError, match=r"exit code 1; the tool said 'ERROR: Benchmarking"):
        source(board).measure(request_)
    board.place(TOOL).unlink()
    with pytest.raises(DeviceError, match=rf"{TOOL} cannot be started .*adb push"):
        source(board).measure(request_)
    assert board.models() == []


def test_a_time_out(board: DeviceDouble, request_: LatencyRequest) -> None:
    board.write(TOOL, "#!/bin/sh\necho STARTING!\nsleep 60\n")
    with pytest.raises(DeviceError, match=r"no end within 5 s; stopped; .*STARTING") as error:
        source(board, timeout_seconds=5.0).measure(request_)
    assert not isinstance(error.value, DeviceLost)
    assert board.models() == []


def test_a_device_that_disappears_and_returns(
    board: DeviceDouble, request_: LatencyRequest
) -> None:
    """It is waited for, that trial fails with its reason, and the next finds it."""
    opened = source(board)
    board.install("--hang=600")
    gone = board.unplug_after("STARTING!\n")

    def bring_back() -> None:
        gone.join()
        board.install()
        time.sleep(1.0)
        board.plug()

    threading.Thread(target=bring_back).start()
    with pytest.raises(DeviceLost, match=r"vanished over a command .* back after \d+ s") as error:
        opened.measure(request_)
    assert "STARTING!" in error.value.text
    assert board.models() == []
    assert opened.measure(request_).ms > 0


def test_a_device_that_disappears_for_good(board: DeviceDouble, request_: LatencyRequest) -> None:
    opened = source(board, reconnect_seconds=1.0)
    board.install("--hang=600")
    board.unplug_after("STARTING!\n")
    with pytest.raises(DeviceLost, match=r"vanished over .* for 1 s; plug it in"):
        opened.measure(request_)
    with pytest.raises(DeviceLost, match=r"for 1 s; plug it in"):
        opened.measure(request_)


def test_two_devices_at_once(plugged: Plugged, models: Models) -> None:
    """Each answers with its own time; neither waits for the other, nor sees its models."""
    request = models.request(GRAPHS["tiny"]())
    microseconds = (3000, 7000)
    doubles = [plugged() for _ in microseconds]
    meeting = threading.Barrier(2)
    sources = []
    for double, us in zip(doubles, microseconds, strict=True):
        double.install(f"--us={us}")
        sources.append(source(double, profile_runs=0))

    def measure(opened: AdbSource) -> float:
        meeting.wait(30)
        return opened.measure(request).ms

    with ThreadPoolExecutor(2) as threads:
        times = list(threads.map(measure, sources))
    assert times == [3.0, 7.0]
    for double in doubles:
        assert sum(line.startswith(TOOL) for line in double.commands) == 2
        assert double.models() == []


def test_one_device_asked_twice_at_once_answers_in_turn(
    board: DeviceDouble, models: Models, tmp_path: Path
) -> None:
    request = models.request(GRAPHS["tiny"]())
    trace = board.place("/data/trace")
    board.install("--us=1000")
    board.write("/data/inner", board.place(TOOL).read_text())
    board.write(
        TOOL,
        f'#!/bin/sh\necho in >> {trace}\n{board.place("/data/inner")} "$@"\necho out >> {trace}\n',
    )
    with ThreadPoolExecutor(2) as threads:
        opened = [source(board, profile_runs=0) for _ in range(2)]
        assert [f.ms for f in threads.map(lambda one: one.measure(request), opened)] == [1.0, 1.0]
    assert trace.read_text().split() == ["in", "out"] * 4


def test_drift_is_noticed_and_waited_out(board: DeviceDouble, models: Models) -> None:
    """Paces: warm-up and runs of the model, then of the reference."""
    factors = board.place("/data/factors")
    board.install("--us=10000", f"--factors={factors}")
    opened = source(board, profile_runs=0, drift_percent=3.0)
    request = models.request(GRAPHS["tiny"]())

    assert dict(opened.measure(request).conditions)["drift"] == "+0.0%"
    factors.write_text("1 1.5  1 1.2   1 1.1  1 1.02")
    latency = opened.measure(request)
    assert latency.ms == pytest.approx(11.0)
    assert dict(latency.conditions)["drift"] == "+2.0%"
    factors.write_text("1.04 " * 12)
    with pytest.raises(DeviceError, match=r"drifts: .* takes \+4.0% .* after 3 attempts"):
        opened.measure(request)


def test_synap_cli(board: DeviceDouble, request_: LatencyRequest, tmp_path: Path) -> None:
    converter = tmp_path / "converter"
    converter.write_text('#!/bin/sh\ncp "$2" "$4/model.synap"\n')
    converter.chmod(0o755)
    tool = "/data/local/tmp/synap_cli"
    board.install_text(SYNAP, tool)
    profile = board.place("/data/profile")
    profile.write_text(SYNAP_PROFILE)
    runner = SynapCliSettings(
        tool="synap_cli",
        path=tool,
        convert=(str(converter), "--model", "{model}", "--out-dir", "{folder}"),
    )
    settings = AdbSettings(source="adb", serial=board.serial, runner=runner)
    latency = settings.open(NOWHERE).measure(request_)
    assert latency.ms == 4.31
    assert adds_up(latency, request_)
    calls = [line for line in board.commands if line.startswith(tool)]
    assert len(calls) == 2
    assert all(call.endswith(".synap -r 50 random") for call in calls)

    board.write(tool, f'#!/bin/sh\ncat {board.place(tool)}.txt\n[ -z "$6" ] || cp {profile} "$6"\n')
    profiled = runner.model_copy(update={"profile_runs": 1})
    latency = settings.model_copy(update={"runner": profiled}).open(NOWHERE).measure(request_)
    assert "ConvolutionReluPoolingLayer2 3.500 ms" in dict(latency.conditions)["operators"]
    assert board.models() == []

    converter.write_text("#!/bin/sh\necho 'error: no license' >&2\nexit 3\n")
    with pytest.raises(DeviceError, match=r"no model.synap \(exit code 3\).*no license"):
        settings.open(NOWHERE).measure(request_)
    converter.unlink()
    with pytest.raises(DeviceError, match="converter cannot be started"):
        settings.open(NOWHERE).measure(request_)


def test_a_model_that_is_none_never_reaches_the_device(
    board: DeviceDouble, request_: LatencyRequest
) -> None:
    nothing = LatencyRequest("nothing", request_.operators, request_.input, lambda: b"no model")
    with pytest.raises(LatencyError, match="nothing over adb: not a TFLite file"):
        source(board).measure(nothing)
    assert board.commands == []
