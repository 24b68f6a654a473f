from __future__ import annotations

import os
from pathlib import Path

import pytest

from latency_models import LatencyError, LatencySource, Worker
from latency_models.device import Device, load_device, open_source
from latency_models.sources.cpu_fallback import COST_FACTOR
from latency_models.sources.rknn.layers import Layer
from latency_models.sources.rknn.source import layers_by_operator
from latency_models.sources.rknn.toolkit import VARIABLE
from latency_models.tflite.requests import read_tflite
from search_spaces import GraphBuilder, InputSpec, NasError

from ..models import GRAPHS, Models
from .fixtures import Script

REAL = os.environ.get(VARIABLE)


def opened(worker: Worker) -> LatencySource:
    return open_source(load_device("rk3588"), worker)


def device(interpreter: Path, timeout_seconds: float) -> Device:
    rk3588 = load_device("rk3588")
    changes = {"interpreter": str(interpreter), "timeout_seconds": timeout_seconds}
    return rk3588.model_copy(update={"settings": rk3588.settings.model_copy(update=changes)})


@pytest.mark.usefixtures("rknn_interpreter")
class TestWithRecordedRule:
    def test_fallback_is_listed_costed_and_bounded(self, worker: Worker, models: Models) -> None:
        request = models.request(GRAPHS["resized"](), InputSpec(360, 640))
        latency = opened(worker).measure(request)
        pixels = request.operators[2]
        assert pixels.kind == "DEPTH_TO_SPACE"
        assert latency.on_cpu == (pixels.name,)
        assert latency.operators[2].engine == "cpu"
        assert latency.operators[2].ms == pytest.approx(pixels.bytes_moved / 2e6)
        assert latency.high_ms - latency.ms > (COST_FACTOR - 1) * latency.operators[2].ms

    def test_what_the_compiler_does_not_price_costs_time(
        self, worker: Worker, models: Models
    ) -> None:
        latency = opened(worker).measure(models.request(GRAPHS["abpn"](), InputSpec(360, 640)))
        (concat,) = (row for row in latency.operators if row.kind == "CONCATENATION")
        (add,) = (row for row in latency.operators if row.kind == "ADD")
        assert concat.ms > 0.3
        assert add.ms == 0  # fused into the convolution before it

    def test_latency_says_where_it_comes_from(self, worker: Worker, models: Models) -> None:
        latency = opened(worker).measure(models.request(GRAPHS["tiny"]()))
        assert latency.source == "rknn-toolkit2 0.0"
        assert dict(latency.conditions)["platform"] == "rk3588"


def test_without_an_interpreter_one_line_says_how_to_make_one(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(
        NasError, match=rf"pip `install torch` .*rknn-toolkit2==.*\${VARIABLE}"
    ) as e:
        opened(worker)
    assert "\n" not in str(e.value)
    monkeypatch.setenv(VARIABLE, "/nowhere/python")
    with pytest.raises(NasError, match=r"the interpreter /nowhere/python does not exist"):
        opened(worker)


@pytest.mark.parametrize(
    ("lines", "error", "message"),
    [
        ("echo no module named rknn >&2; exit 4", NasError, "lacks rknn-toolkit2: no module"),
        ("echo E load: bad operator; exit 3", LatencyError, r"exit code 3\): E load: bad operator"),
        ("kill -SEGV $$", LatencyError, r"exit code -11\): it said nothing"),
        ("echo done", LatencyError, "no table of layers"),
    ],
)
def test_a_toolkit_that_fails_is_named(
    worker: Worker, models: Models, script: Script, lines: str, error: type[Exception], message: str
) -> None:
    source = open_source(device(script(lines), timeout_seconds=60.0), worker)
    with pytest.raises(error, match=message) as caught:
        source.measure(models.request(GRAPHS["tiny"]()))
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, LatencyError) == (error is LatencyError)


def test_a_toolkit_that_hangs_is_stopped(worker: Worker, models: Models, script: Script) -> None:
    source = open_source(device(script("sleep 60"), timeout_seconds=0.5), worker)
    with pytest.raises(LatencyError, match=r"no answer within 0\.5 s"):
        source.measure(models.request(GRAPHS["tiny"]()))


def test_layers_find_their_operators(models: Models) -> None:
    model = read_tflite(models.tflite(GRAPHS["resized"]()))
    stem, head, pixels, resize, add = (op.outputs[0].name for op in model.operators)

    def layer(op: str, name: str) -> Layer:
        return Layer(op, "NPU", "(1,3,64,96)", 1, 1, 1.0, name)

    layers = (
        layer("Conv", ""), layer("ConvRelu", f"{stem}_prequant"), layer("Relu", "Relu__14"),
        layer("Conv", head), layer("DepthToSpace", f"{pixels}_prequant"),
        layer("Resize", "Resize__2"),
        layer("Add", f"{add}_prequant"), layer("Transpose", "Transpose__5"),
    )  # fmt: skip
    assert [[own.op for own in part] for part in layers_by_operator(model, layers)] == [
        ["Conv", "ConvRelu"],
        ["Relu", "Conv"],
        ["DepthToSpace"],
        ["Resize"],
        ["Add", "Transpose"],
    ]
    assert resize


def test_arithmetic_that_got_lost_is_refused(
    worker: Worker, models: Models, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = r"RKNN: [0] 0 Split INT8 NPU \\ (1,8,64,96),... 0/0/0 48 Split:elsewhere"
    lines = f"echo 'compiler: rknn-toolkit2 0.0'; echo '{row}'"
    monkeypatch.setenv(VARIABLE, str(script(lines)))
    with pytest.raises(LatencyError, match="holds no layer of CONV_2D"):
        opened(worker).measure(models.request(GRAPHS["tiny"]()))


@pytest.mark.skipif(REAL is None, reason=f"{VARIABLE} names no Python with rknn-toolkit2")
class TestRealCompiler:
    @pytest.fixture
    def source(self, worker: Worker) -> LatencySource:
        return opened(worker)

    def test_abpn(self, source: LatencySource, models: Models) -> None:
        latency = source.measure(models.request(GRAPHS["abpn"](), InputSpec(360, 640)))
        by_kind = {row.kind: row for row in latency.operators}
        assert all(row.ms > 0 for row in latency.operators if row.kind == "CONV_2D")
        assert by_kind["ADD"].ms == 0
        assert by_kind["CONCATENATION"].ms > by_kind["CONV_2D"].ms
        assert latency.on_cpu == (by_kind["DEPTH_TO_SPACE"].name,)

    def test_wider_takes_longer(self, source: LatencySource, models: Models) -> None:
        times = []
        for width in (16, 64):
            net = GraphBuilder()
            graph = net.image(net.conv(net.conv(net.input, width, relu=True), 12), 2)
            times.append(source.measure(models.request(graph, InputSpec(180, 320))).ms)
        assert times[0] < times[1]

    def test_only_its_own_platforms(self, source: LatencySource, models: Models) -> None:
        assert Path(str(REAL)).exists()
        request = models.request(GRAPHS["transposed"]())
        latency = source.measure(request)
        # The NPU multiplies; the CPU puts zeros between the pixels.
        assert latency.operators[1].engine == "npu"
        assert latency.on_cpu == (request.operators[1].name,)
