"""``import nas``: instant, and the same answers as the command line's."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nas
from latency_models.device import load_device
from nas.api.training import TrainingOutcome
from nas.evaluation.validation import ValidationPoint
from nas.training.job import Progress
from search_spaces import Candidate, Graph, GraphBuilder, InputError, InputSpec, infer

from .commands import ROOT, execute, run_json
from .console import write_photos
from .tiny_model import make_tflite


def test_the_import_loads_nothing_until_it_is_used() -> None:
    code = (
        "import sys, nas; names = set(nas.__all__); assert names <= set(dir(nas))\n"
        "print([m for m in ('numpy', 'optuna', 'pydantic', 'tensorflow') if m in sys.modules])\n"
        "print(nas.zoo.find('abpn').name)\n"
        "assert all(callable(getattr(nas, name)) for name in names - {'zoo', 'errors'})\n"
        "print('tensorflow' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.split("\n")[:3] == ["[]", "ABPN", "False"]


def test_evaluate_as_the_command_does(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(make_tflite())
    write_photos(tmp_path / "photos")
    quality = nas.evaluate(tmp_path / "m.tflite", str(tmp_path / "photos"))
    answer = run_json(tmp_path, "evaluate", "m.tflite", "--data", "photos")
    assert (quality.psnr_db, quality.ssim) == (answer["psnr_db"], answer["ssim"])
    with pytest.raises(InputError, match=r"nope\.tflite"):
        nas.evaluate(tmp_path / "nope.tflite")


def test_predict_latency_of_a_name_a_graph_and_a_file(tmp_path: Path) -> None:
    candidate = nas.zoo.find("ABPN").build(3)
    by_name = nas.predict_latency("ABPN", "vs680")
    assert nas.predict_latency(candidate, "vs680") == by_name
    assert nas.predict_latency(candidate.deployed, "vs680") == by_name
    assert by_name.low_ms <= by_name.ms <= by_name.high_ms
    smaller = nas.predict_latency(Candidate(candidate.graph), "vs680", input="180x320")
    assert smaller.ms < by_name.ms
    assert infer(candidate.deployed, InputSpec(180, 320)).macs > 0
    (tmp_path / "m.tflite").write_bytes(make_tflite())
    latency = nas.predict_latency(tmp_path / "m.tflite", "vs680")
    assert [row.kind for row in latency.operators] == ["RESIZE_NEAREST_NEIGHBOR"]
    with pytest.raises(InputError, match="'nope'"):
        nas.predict_latency("ABPN", "nope")


def test_predicting_and_measuring_refuse_each_other() -> None:
    with pytest.raises(InputError, match="can only be measured"):
        nas.predict_latency("ABPN", "host")
    with pytest.raises(InputError, match="nothing to run on"):
        nas.measure_latency("ABPN", "vs680")


def test_a_device_object_is_what_its_name_is(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(make_tflite())
    device = load_device("host")
    assert nas.measure_latency(tmp_path / "m.tflite", device).ms > 0
    assert nas.measure_latency(tmp_path / "m.tflite", device, verify=True).ms > 0
    vs680 = load_device("vs680")
    assert nas.predict_latency("ABPN", vs680) == nas.predict_latency("ABPN", "vs680")


def test_a_path_is_a_file_though_it_be_called_like_a_network(tmp_path: Path) -> None:
    (tmp_path / "ABPN").write_bytes(make_tflite())
    latency = nas.predict_latency(tmp_path / "ABPN", "vs680")
    assert [row.kind for row in latency.operators] == ["RESIZE_NEAREST_NEIGHBOR"]


def test_evaluate_on_arrays_as_on_their_files(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(make_tflite())
    write_photos(tmp_path / "photos")
    files = sorted((tmp_path / "photos").iterdir())
    arrays = [np.asarray(Image.open(file)) for file in files]
    of_files = nas.evaluate(tmp_path / "m.tflite", tmp_path / "photos")
    for data in (arrays, nas.Images(arrays), nas.Images(arrays[:1], validation=nas.Images(arrays))):
        quality = nas.evaluate(tmp_path / "m.tflite", data)
        assert quality.psnr_db == of_files.psnr_db
        assert [i.ssim for i in quality.images] == [i.ssim for i in of_files.images]


def test_check_as_the_command_does(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(make_tflite())
    report = nas.check(tmp_path / "m.tflite", "vs680")
    told = execute(tmp_path, "check", "m.tflite", "--device", "vs680", "--json")
    answer = json.loads(told.output)
    assert report.clean is answer["clean"] is (told.code == 0)
    assert report.latency is not None
    assert report.latency.ms == answer["ms"]
    assert nas.check(str(tmp_path / "m.tflite")).device is None
    with pytest.raises(InputError, match="unknown device"):
        nas.check(tmp_path / "m.tflite", "nope")


def test_upscale_pixels_a_file_and_a_folder(tmp_path: Path) -> None:
    model = tmp_path / "m.tflite"
    model.write_bytes(make_tflite())
    write_photos(tmp_path / "photos", side=40)
    (tmp_path / "photos/broken.png").write_bytes(b"no image")
    pixels = np.asarray(Image.open(tmp_path / "photos/0.png"))
    enlarged = nas.upscale(model, pixels)
    assert enlarged.shape == (80, 80, 3)
    one = nas.upscale(model, tmp_path / "photos/0.png", tmp_path / "large.png")
    assert (np.asarray(Image.open(one.written[0].target)) == enlarged).all()
    all_of_them = nas.upscale(model, str(tmp_path / "photos"), tmp_path / "out", side_by_side=True)
    assert [(one.target.name, one.width) for one in all_of_them.written] == [
        ("0.png", 160), ("1.png", 160),
    ]  # fmt: skip
    [(left_out, reason)] = all_of_them.left_out
    assert left_out.name == "broken.png"
    assert "broken.png" in reason
    with pytest.raises(InputError, match="say where"):
        nas.upscale(model, tmp_path / "photos/0.png")  # type: ignore[call-overload]
    with pytest.raises(InputError, match="a picture of float32"):
        nas.upscale(model, np.zeros((9, 9, 3), np.float32))
    with pytest.raises(InputError, match=r"broken\.png"):
        nas.upscale(model, tmp_path / "photos/broken.png", tmp_path / "large.png")


def test_train_a_network_on_arrays_then_export_it(tmp_path: Path) -> None:
    graph = small_graph()
    hr = list(np.random.default_rng(0).integers(0, 256, (4, 105, 105, 3), np.uint8))
    seen = Steps()

    def train(steps: int = 10, count: int = 4) -> TrainingOutcome:
        return nas.train(
            graph, nas.Images(hr[:count]), device="vs680", quantize="ptq", folder=tmp_path / "t",
            steps=steps, batch=1, patch=8, observer=seen,
        )  # fmt: skip

    outcome = train()
    assert seen.steps == list(range(1, 11))
    assert seen.notes[0].startswith("training: 3 images in memory")
    assert outcome.path.is_file()
    assert outcome.card.is_file()
    assert not outcome.was_finished
    assert train().was_finished
    assert nas.evaluate(outcome.path, nas.Images(hr[:1])).psnr_db == pytest.approx(
        outcome.figures["validation"].psnr_db, abs=1e-3
    )
    exported = nas.export(outcome.folder, tmp_path / "e", input=["40x40"])
    assert {path.name for path in exported.files} >= {"int8_40x40.tflite", "card.json"}
    with pytest.raises(InputError, match="other images"):
        train(count=3)
    with pytest.raises(InputError, match="steps 9: choose 10 to"):
        train(steps=9)
    with pytest.raises(InputError, match="loss 'l3': choose one of l1, charbonnier"):
        nas.train("ABPN", loss="l3")


def test_a_teacher_has_a_share_in_the_training(tmp_path: Path) -> None:
    hr = list(np.random.default_rng(0).integers(0, 256, (4, 105, 105, 3), np.uint8))
    seen = Steps()

    def train(teacher: str | Path | None, folder: str, scale: int = 3) -> TrainingOutcome:
        return nas.train(
            small_graph(scale), nas.Images(hr), device="vs680", quantize="ptq", steps=10, batch=1,
            patch=8, teacher=teacher, folder=tmp_path / folder, observer=seen,
        )  # fmt: skip

    alone, taught = train(None, "alone"), train("abpn-x3", "taught")
    assert seen.taught_images == [(1, 3), (2, 3), (3, 3)]
    assert json.loads(taught.card.read_text())["training"]["teacher"] == "abpn-x3"
    assert "teacher" not in json.loads(alone.card.read_text())["training"]
    weights = [np.load(one.folder / "float.npz") for one in (alone, taught)]
    assert any((weights[0][name] != weights[1][name]).any() for name in weights[0])
    judged = [one.images["validation"].fingerprint for one in (alone, taught)]
    assert judged[0] == judged[1]
    for teacher, folder in ((None, "taught"), (taught.path, "taught"), ("abpn-x3", "alone")):
        with pytest.raises(InputError, match="another teacher"):
            train(teacher, folder)
    with pytest.raises(InputError, match="teacher abpn-x3: enlarges x3; give a model of x2"):
        train("abpn-x3", "x2", scale=2)
    assert not (tmp_path / "x2").exists()


class Steps:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.steps: list[int] = []
        self.taught_images: list[tuple[int, int]] = []

    def begins(self, notes: Sequence[str]) -> None:
        self.notes = list(notes)

    def taught(self, made: int, images: int) -> None:
        self.taught_images.append((made, images))

    def observe(self, progress: Progress) -> None:
        self.steps.append(progress.step)

    def judged(self, point: ValidationPoint) -> None:
        pass


def small_graph(scale: int = 3) -> Graph:
    net = GraphBuilder()
    features = net.conv(net.input, 8, relu=True)
    return net.image(net.conv(features, 3 * scale**2), scale)


def test_errors_are_those_of_the_packages() -> None:
    assert nas.errors.InputError is InputError
    assert issubclass(nas.errors.LatencyError, nas.errors.CandidateError)
    with pytest.raises(nas.errors.NasError, match="no study 'other'"):
        nas.load_study("other")


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: nas.search("1", callbacks=print), "callbacks"),  # type: ignore[arg-type]
        (lambda: nas.search("1", callbacks=[3]), "callbacks"),  # type: ignore[list-item]
        (lambda: nas.search("1", callbacks=None), "callbacks"),  # type: ignore[arg-type]
        (lambda: nas.search("1", warm_from=3), "warm_from 3"),  # type: ignore[arg-type]
        (lambda: nas.search("1", warm_from=[3]), "3: give a name"),  # type: ignore[list-item]
        (lambda: nas.search("1", data=3), "hr is 3"),  # type: ignore[arg-type]
        (lambda: nas.Images(hr=None), "hr is None"),  # type: ignore[arg-type]
        (lambda: nas.Images([], validation=[]), "validation"),  # type: ignore[arg-type]
        (lambda: nas.train(3), "3: give a name"),  # type: ignore[arg-type]
        (lambda: nas.train("ABPN", steps="5"), "steps '5'"),  # type: ignore[arg-type]
        (lambda: nas.findings("s"), "study 's'"),  # type: ignore[arg-type]
        (lambda: nas.load_study(3), "3: give a name"),  # type: ignore[arg-type]
        (lambda: nas.predict_latency("ABPN", "vs680", input=3), "size 3"),  # type: ignore[arg-type]
        (lambda: nas.predict_latency(3, "vs680"), "model 3"),  # type: ignore[arg-type]
    ],
)
def test_an_argument_of_another_type_is_told(call: Callable[[], object], told: str) -> None:
    with pytest.raises(nas.errors.InputError, match=told):
        call()
