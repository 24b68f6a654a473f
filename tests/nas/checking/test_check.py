"""``nas check`` finds what is planted, in files that the real converter made, and nothing else."""

from __future__ import annotations

import contextlib
import json
import math
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from latency_models import WeightGranularity
from latency_models.device import Device, load_device
from latency_models.tflite.requests import read_tflite
from nas.checking.finding import Finding, Problem, Report, Severity
from nas.checking.subject import Subject
from nas.checking.widths import channels_over_a_step
from search_spaces import InputError, InputSpec
from tests.latency_models.foreign_models import by_rows, enlarging, transposed
from tests.latency_models.tflite_builder import TfliteBuilder

from ..commands import run
from ..console import Console
from .conftest import Bench

LARGE = InputSpec(180, 320)
ETHOS, VS680 = load_device("ethos-u65-512"), load_device("vs680")
ETHOS_U85 = load_device("ethos-u85-1024")


def of(report: Report, problem: Problem) -> list[Finding]:
    return [finding for finding in report.findings if finding.problem is problem]


@pytest.mark.parametrize("device", [None, ETHOS, VS680])
def test_clean_models_pass(bench: Bench, device: Device | None) -> None:
    for path in (bench.graph("clean"), bench.by_hand(), bench.graph("32 channels", LARGE)):
        report = bench.check(path, device)
        assert report.clean, report.findings
        assert all(finding.severity is Severity.NOTE for finding in report.findings)


def test_a_float_output(bench: Bench) -> None:
    report = bench.check(bench.by_hand(float_output=True))
    [found] = report.findings
    assert (found.problem, found.kind) == (Problem.FLOAT, "DEQUANTIZE")
    assert "inference_output_type" in found.advice
    assert not report.clean


@pytest.mark.parametrize("white", [200.0, 300.0])
def test_an_output_scale_that_makes_other_levels(bench: Bench, white: float) -> None:
    [found] = bench.check(bench.by_hand(white=white)).findings
    assert (found.problem, found.severity) == (Problem.LEVELS, Severity.ERROR)
    assert f"0.0 to {white:.1f}" in found.what


def test_a_missing_fake_quant_that_leaves_a_float_add(bench: Bench) -> None:
    found = bench.check(bench.by_hand(add_quantized=False)).findings
    assert {finding.problem for finding in found} == {Problem.FLOAT}
    assert "computes in float32" in next(f.what for f in found if f.kind == "ADD")


def test_dynamic_range(bench: Bench) -> None:
    found = of(bench.check(bench.by_hand(ranges=False)), Problem.DYNAMIC_RANGE)
    assert found
    assert {finding.kind for finding in found} == {"CONV_2D"}


@pytest.mark.parametrize(
    ("name", "problem", "kinds"),
    [
        ("clip", Problem.CLIP, ["MINIMUM", "RELU"]),
        ("bilinear", Problem.SLOW_OPERATOR, ["RESIZE_BILINEAR"]),
        ("prelu", Problem.SLOW_OPERATOR, ["PRELU"]),
    ],
)
def test_an_operator_that_is_slow(
    bench: Bench, name: str, problem: Problem, kinds: list[str]
) -> None:
    plain = bench.check(bench.graph(name))
    assert [finding.kind for finding in plain.findings] == kinds
    assert {finding.ms for finding in plain.findings} == {None}
    report = bench.check(bench.graph(name, LARGE), VS680)
    assert [finding.kind for finding in of(report, problem)] == kinds
    assert not plain.clean
    assert not report.clean
    rows = {row.name: row.ms for row in report.latency.operators} if report.latency else {}
    for finding in report.findings:
        assert finding.ms == rows[finding.operator] > 0


def test_a_concatenation_where_the_device_pays_for_it(bench: Bench) -> None:
    path = bench.graph("anchor", LARGE)
    [found] = of(bench.check(path, VS680), Problem.SLOW_OPERATOR)
    assert (found.kind, found.severity) == ("CONCATENATION", Severity.WARNING)
    assert "'tensor'" in found.what
    assert bench.check(path).clean


def test_a_file_of_any_size_is_for_no_npu(bench: Bench) -> None:
    path = bench.graph("clean", None)
    assert bench.check(path).clean
    report = bench.check(path, ETHOS)
    assert [finding.problem for finding in report.findings] == [Problem.OPEN_SHAPE]
    assert report.untimed


def test_what_is_cheap_on_the_device_is_only_noted(bench: Bench) -> None:
    report = bench.check(bench.graph("prelu", LARGE), ETHOS)
    [found] = of(report, Problem.SLOW_OPERATOR)
    assert found.severity is Severity.NOTE
    assert report.clean


def test_fallbacks_are_told_and_only_those_that_can_be_helped_count(bench: Bench) -> None:
    device = load_device("ethos-u55-256")
    clean = bench.check(bench.graph("clean"), device)
    assert [f.kind for f in of(clean, Problem.FALLBACK)] == ["DEPTH_TO_SPACE"]
    assert clean.latency
    assert set(clean.latency.on_cpu) == {f.operator for f in of(clean, Problem.FALLBACK)}


def test_channels_just_over_a_step(bench: Bench) -> None:
    report = bench.check(bench.graph("36 channels", LARGE), ETHOS)
    [found] = of(report, Problem.CHANNELS)
    assert "32 channels" in found.advice
    assert found.ms is not None
    slim = bench.check(bench.graph("32 channels", LARGE), ETHOS)
    assert report.latency
    assert slim.latency
    saved = report.latency.ms - slim.latency.ms
    assert found.ms == pytest.approx(saved, rel=0.25)


def test_the_largest_share_is_that_of_the_latency(bench: Bench) -> None:
    report = bench.check(bench.graph("bilinear", LARGE), VS680)
    assert report.largest
    assert report.largest.kind == "RESIZE_BILINEAR"
    assert report.latency
    assert report.largest.ms == max(row.ms for row in report.latency.operators)


def test_what_a_device_does_not_take(bench: Bench) -> None:
    narrow = ETHOS.model_copy(
        update={"operators": frozenset({"CONV_2D"}), "weights": WeightGranularity.TENSOR}
    )
    report = bench.check(bench.graph("clean"), narrow)
    assert [f.kind for f in of(report, Problem.UNSUPPORTED)] == ["DEPTH_TO_SPACE"]
    assert {f.kind for f in of(report, Problem.GRANULARITY)} == {"CONV_2D"}
    assert "does not take DEPTH_TO_SPACE" in report.untimed
    per_tensor = ETHOS.model_copy(update={"weights": WeightGranularity.TENSOR})
    assert bench.check(bench.by_hand(), per_tensor).clean


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_file_never_crashes_it(bench: Bench, tmp_path: Path, seed: int) -> None:
    whole = bench.graph("prelu").read_bytes()
    chance = random.Random(seed)
    damaged = bytearray(whole[: chance.choice((len(whole), chance.randrange(len(whole))))])
    for _ in range(chance.randrange(3)):
        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
    path = tmp_path / "m.tflite"
    path.write_bytes(damaged)
    with contextlib.suppress(InputError):
        report = bench.check(path, ETHOS)
        assert report.latency or report.untimed


def test_exit_codes(bench: Bench, console: Console) -> None:
    assert console.run("check", str(bench.graph("clean")))[0] == 0
    assert console.run("check", str(bench.graph("clip")))[0] == 1
    assert console.run_whole("check", "abpn-x3")[:2] == (0, "abpn-x3: clean\n")
    console.refuse(2, "nope.tflite", "check", "nope.tflite")
    (console.folder / "garbage.tflite").write_bytes(b"garbage" * 100)
    console.refuse(2, "garbage.tflite", "check", "garbage.tflite")
    console.refuse(2, "'nope'", "check", str(bench.graph("clean")), "--device", "nope")


def test_as_json(bench: Bench, tmp_path: Path) -> None:
    path = str(bench.graph("clip"))
    answer = json.loads(run(tmp_path, "check", path, "--device", "vs680", "--json", code=1))
    assert answer["device"] == "vs680"
    assert not answer["clean"]
    assert answer["untimed"] is None
    assert answer["largest"]["ms"] <= answer["ms"]
    clips = [row for row in answer["findings"] if row["problem"] == "clip"]
    assert [row["kind"] for row in clips] == ["MINIMUM", "RELU"]
    assert all(row["severity"] == "warning" and row["ms"] > 0 and row["advice"] for row in clips)


def deconvolution(stride: int) -> bytes:
    """One transposed convolution; Ethos-U takes strides of 1 and 2."""
    file = TfliteBuilder()
    image = file.tensor((1, 16, 16, 3))
    size = (1, 16 * stride, 16 * stride, 3)
    kernel = file.constant(np.ones((3, 9, 9, 3)), "INT8", 0.01)
    pixels = file.add(
        "TRANSPOSE_CONV", (file.constant(size), kernel, image), size, "TransposeConvOptions",
        strideH=stride, strideW=stride,
    )  # fmt: skip
    return file.build((image,), (pixels,))


def check_bytes(bench: Bench, data: bytes, device: Device | None = None) -> Report:
    path = bench.folder / "foreign.tflite"
    path.write_bytes(data)
    return bench.check(path, device)


def test_an_open_batch_is_one_image(bench: Bench) -> None:
    report = check_bytes(bench, transposed(open_sides=(0,)), ETHOS)
    assert not of(report, Problem.OPEN_SHAPE)
    assert report.latency


@pytest.mark.parametrize("device", [None, ETHOS, VS680])
def test_int16_activations(bench: Bench, device: Device | None) -> None:
    report = check_bytes(bench, enlarging(dtype="INT16"), device)
    assert {f.kind for f in of(report, Problem.INT16)} == {"CONV_2D", "DEPTH_TO_SPACE"}
    assert not report.clean


def test_a_model_that_mostly_runs_on_the_cpu_is_not_clean(bench: Bench) -> None:
    """All of it falls back, so that no engine but the CPU is seen."""
    report = check_bytes(bench, deconvolution(3), ETHOS)
    [found] = of(report, Problem.FALLBACK)
    assert (found.kind, found.severity) == ("TRANSPOSE_CONV", Severity.WARNING)
    assert "100% of the model's time" in found.what
    assert "DEPTH_TO_SPACE" in found.advice
    assert not report.clean


def test_an_unavoidable_operator_that_takes_most_of_the_time(bench: Bench) -> None:
    file = TfliteBuilder()
    image = file.tensor((1, 64, 64, 12))
    shape = (1, 128, 128, 3)
    pixels = file.add("DEPTH_TO_SPACE", (image,), shape, "DepthToSpaceOptions", blockSize=2)
    report = check_bytes(bench, file.build((image,), (pixels,)), load_device("ethos-u55-256"))
    [found] = of(report, Problem.FALLBACK)
    assert found.severity is Severity.WARNING
    assert not report.clean


def test_depth_to_space_by_rows_where_the_cpu_does_it(bench: Bench) -> None:
    [found] = of(check_bytes(bench, enlarging(), ETHOS_U85), Problem.FALLBACK)
    assert found.kind == "DEPTH_TO_SPACE"
    assert "2 convolutions" in found.advice
    assert "CONCATENATION along the columns and a RESHAPE" in found.advice
    report = check_bytes(bench, by_rows(), ETHOS_U85)
    assert not report.findings
    assert report.clean


def test_by_rows_where_the_npu_takes_depth_to_space(bench: Bench) -> None:
    found = of(check_bytes(bench, by_rows(), VS680), Problem.SLOW_OPERATOR)
    assert {f.kind for f in found} == {"CONCATENATION", "RESHAPE"}
    assert all("DEPTH_TO_SPACE" in f.advice for f in found)


def test_no_rows_on_a_device_that_cannot_join_them(bench: Bench) -> None:
    kinds = frozenset({"CONV_2D", "DEPTH_TO_SPACE"})
    device = ETHOS_U85.model_copy(update={"operators": kinds})
    [found] = of(check_bytes(bench, enlarging(), device), Problem.FALLBACK)
    assert "CONCATENATION" not in found.advice


def rows_of_blocks(clip: str = "") -> bytes:
    """x3; a RELU upon what ``clip`` says."""
    file = TfliteBuilder()
    image = file.tensor((1, 16, 16, 3))

    def clipped(source: int, name: str) -> int:
        return file.add("RELU", (source,), file.tensors[source].shape) if name == clip else source

    kernel = file.constant(np.ones((9, 1, 1, 3)), "INT8", 0.01)
    rows = [
        file.add("CONV_2D", (image, kernel), (1, 16, 16, 9), "Conv2DOptions", strideH=1, strideW=1)
        for _ in range(3)
    ]
    rows = [clipped(row, "each row") for row in rows]
    options = "ConcatenationOptions"
    joined = file.add("CONCATENATION", tuple(rows), (1, 16, 48, 9), options, axis=2)
    size = (1, 48, 48, 3)
    pixels = file.add("RESHAPE", (clipped(joined, "all rows"), file.constant(size)), size)
    return file.build((image,), (clipped(pixels, "image"),))


@pytest.mark.parametrize(("clip", "times"), [("each row", 3), ("all rows", 1), ("image", 1)])
def test_a_clip_of_rows_of_blocks(bench: Bench, clip: str, times: int) -> None:
    report = check_bytes(bench, rows_of_blocks(clip))
    assert [f.kind for f in of(report, Problem.CLIP)] == times * ["RELU"]
    assert len(report.findings) == times


def test_the_scale_decides_the_channels_of_rows_of_blocks() -> None:
    """Nine, just over a step of eight."""
    model = read_tflite(rows_of_blocks())
    as_features = replace(model, operators=model.operators[:3])
    found = [
        list(channels_over_a_step(Subject(subject, width_ms=lambda width: math.ceil(width / 8))))
        for subject in (model, as_features)
    ]
    assert [len(findings) for findings in found] == [0, 1]


def test_a_processor_falls_back_to_nothing(bench: Bench) -> None:
    report = check_bytes(bench, deconvolution(3), load_device("host"))
    assert not of(report, Problem.FALLBACK)


@pytest.mark.parametrize("before", [True, False])
def test_a_clip_on_either_side_of_depth_to_space(bench: Bench, before: bool) -> None:
    file = TfliteBuilder()
    image = file.tensor((1, 16, 16, 3))
    features = file.add(
        "CONV_2D", (image, file.constant(np.ones((12, 3, 1, 1)), "INT8", 0.01)), (1, 16, 16, 12),
        "Conv2DOptions", strideH=1, strideW=1,
    )  # fmt: skip
    white = file.constant(np.full((), 127), "INT8", 2.0)

    def clipped(source: int) -> int:
        shape = tuple(file.tensors[source].shape)
        return file.add("RELU", (file.add("MINIMUM", (source, white), shape),), shape)

    def enlarged(source: int) -> int:
        shape = (1, 32, 32, 3)
        return file.add("DEPTH_TO_SPACE", (source,), shape, "DepthToSpaceOptions", blockSize=2)

    pixels = enlarged(clipped(features)) if before else clipped(enlarged(features))
    report = check_bytes(bench, file.build((image,), (pixels,)))
    assert [f.kind for f in of(report, Problem.CLIP)] == ["MINIMUM", "RELU"]
    assert len(report.findings) == 2


def test_a_clip_of_an_open_size_names_no_size(bench: Bench) -> None:
    file = TfliteBuilder()
    image = file.tensor((1, 1, 1, 12), open_sides=(0, 1, 2))
    pixels = file.add("DEPTH_TO_SPACE", (image,), (1, 1, 1, 3), "DepthToSpaceOptions", blockSize=2)
    clipped = file.add("RELU", (pixels,), (1, 1, 1, 3))
    file.tensors[clipped].shapeSignature = [-1, -1, -1, 3]
    [found] = of(check_bytes(bench, file.build((image,), (clipped,))), Problem.CLIP)
    assert found.what.startswith("clips at ?x?x3,")


def test_a_relu_between_convolutions_of_the_enlarged_image_is_no_clip(bench: Bench) -> None:
    file = TfliteBuilder()
    last = image = file.tensor((1, 16, 16, 12))
    shape = (1, 32, 32, 3)
    last = file.add("DEPTH_TO_SPACE", (last,), shape, "DepthToSpaceOptions", blockSize=2)
    last = file.add("RELU", (last,), shape)
    kernel = file.constant(np.ones((3, 3, 3, 3)), "INT8", 0.01)
    last = file.add("CONV_2D", (last, kernel), shape, "Conv2DOptions", strideH=1, strideW=1)
    assert not of(check_bytes(bench, file.build((image,), (last,))), Problem.CLIP)


def test_an_error_of_every_operator_is_told_once(bench: Bench, tmp_path: Path) -> None:
    file = TfliteBuilder()
    last = image = file.tensor((1, 16, 16, 3), "FLOAT32", scale=None)
    for _ in range(40):
        result = file.tensor((1, 16, 16, 3), "FLOAT32", scale=None)
        file.operator("ABS", (last,), (result,))
        last = result
    path = bench.folder / "float.tflite"
    path.write_bytes(file.build((image,), (last,)))
    assert len(bench.check(path).findings) == 40
    printed = run(tmp_path, "check", str(path), code=1)
    assert "37 more operators (37 ABS)" in printed
    assert len(printed.splitlines()) < 15
