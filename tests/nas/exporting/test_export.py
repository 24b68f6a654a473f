"""What ``nas export`` writes: every file is run, loaded or checked as its user would."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from latency_models import WeightGranularity, Worker
from latency_models.device import load_device
from latency_models.device_file import device_toml
from latency_models.tflite.requests import (
    read_tflite,
    require_integer_only,
    require_super_resolution,
)
from nas.data.images import write_image
from nas.data.pixels import Pixels
from nas.evaluation.inference import AnySizeUpscaler, TfliteUpscaler
from nas.exporting.export import Export
from nas.exporting.models import ANY_SIZE, ExportedModel
from nas.exporting.source import Source, find_sources
from nas.exporting.unsigned import with_unsigned_ends
from nas.latency.model_reference import find_network
from nas.quality.image_quality import MetricValues, ModelQuality
from nas.system.files import write_arrays, write_whole
from nas.training.weights import value_shapes
from search_spaces import Candidate, CandidateError, Graph, InputError, InputSpec, zoo
from tests.search_spaces.small_graphs import SMALL

from ..commands import run_json
from ..console import Console, write_photos
from ..studies.finished import candidates, finished_study
from .sources import SPEC, make_source, random_network

OTHER = InputSpec(64, 40)


def quiet(model: ExportedModel) -> None:
    pass


def image(height: int, width: int) -> Pixels:
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), np.uint8)


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker() as worker:
        yield worker


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("data") / "photos"
    write_photos(folder, count=3, side=230)
    return str(folder)


@pytest.fixture(scope="module")
def source(worker: Worker, photos: str) -> Source:
    return make_source(zoo.abpn(3), worker, photos, "abpn")


@pytest.fixture(scope="module")
def exported(source: Source, worker: Worker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "abpn"
    Export((SPEC, OTHER)).run([source], folder, worker, quiet)
    return folder


def test_the_folder_is_complete_and_its_checksums_hold(exported: Path) -> None:
    names = {path.name for path in exported.iterdir()}
    models = {f"{dtype}_{size}.tflite" for dtype in ("int8", "uint8") for size in (SPEC, OTHER)}
    assert names == models | {
        ANY_SIZE, "model.tflite", "network.weights.h5", "weights.npz", "card.json", "card.md",
        "RUN.md", "example.py", "SHA256SUMS",
    }  # fmt: skip
    lines = (exported / "SHA256SUMS").read_text().splitlines()
    sums = {name: digest for digest, name in (line.split("  ") for line in lines)}
    assert set(sums) == names - {"SHA256SUMS"}
    for name, digest in sums.items():
        assert hashlib.sha256((exported / name).read_bytes()).hexdigest() == digest
    assert (exported / "model.tflite").read_bytes() == (
        exported / f"int8_{SPEC}.tflite"
    ).read_bytes()


def test_every_model_is_integer_only_and_takes_what_its_name_says(exported: Path) -> None:
    for path in exported.glob("*int8_*x*.tflite"):
        model = read_tflite(path.read_bytes())
        require_integer_only(model)
        form = require_super_resolution(model)
        assert (f"{form.levels.dtype}_{form.input}", form.scale) == (path.stem, 3)
    require_integer_only(read_tflite((exported / ANY_SIZE).read_bytes()))


def test_every_model_is_as_good_as_the_card(exported: Path, source: Source) -> None:
    files = {row["file"]: row for row in json.loads((exported / "card.json").read_text())["files"]}
    assert len(files) == 5
    for size in (SPEC, OTHER):
        signed, unsigned = files[f"int8_{size}.tflite"], files[f"uint8_{size}.tflite"]
        assert (signed["psnr_db"], signed["ssim"]) == (unsigned["psnr_db"], unsigned["ssim"])
    assert files[f"int8_{SPEC}.tflite"]["psnr_db"] == source.card.quality.psnr_db
    for row in files.values():
        assert row["psnr_db"] == pytest.approx(source.card.quality.psnr_db, abs=0.02)


def test_the_card_holds_the_network(exported: Path, source: Source) -> None:
    assert find_network(str(exported / "card.json"), 3).candidate == source.card.candidate
    text = (exported / "card.md").read_text()
    assert f"{source.card.quality.psnr_db:.3f} dB" in text
    assert "42,539" in text


def test_keras_loads_the_weights_into_the_same_network(
    exported: Path, source: Source, worker: Worker
) -> None:
    lr = image(20, 24)
    graph = source.card.candidate.deployed
    path = exported / "network.weights.h5"
    loaded, rounded = worker.call(300, run_keras, graph, path, lr)
    np.testing.assert_allclose(loaded, worker.call(300, run_network, graph, exported, lr))
    file = AnySizeUpscaler((exported / ANY_SIZE).read_bytes(), worker).upscale(lr)
    assert np.abs(file - rounded).max() <= 2


def run_keras(graph: Graph, path: Path, lr: Pixels) -> tuple[Pixels, Pixels]:
    from nas.training.interpretation import Mode
    from nas.training.keras_model import keras_model, load_keras_model

    rounding = keras_model(graph, Mode(quantize=True))
    rounding.load_weights(path)
    levels = lr[np.newaxis].astype(np.float32)
    return load_keras_model(graph, path)(levels).numpy()[0], rounding(levels).numpy()[0]


def run_network(graph: Graph, folder: Path, lr: Pixels) -> Pixels:
    from nas.training.interpretation import Mode
    from nas.training.network import Network

    network = Network(graph, seed=9)
    with np.load(folder / "weights.npz") as weights:
        network.restore(weights)
    result: Pixels = network(lr[np.newaxis].astype(np.float32), mode=Mode(False)).numpy()[0]
    return result


def test_a_file_of_any_size_is_judged_and_used_by_commands(
    exported: Path, console: Console, photos: str
) -> None:
    files = {row["file"]: row for row in json.loads((exported / "card.json").read_text())["files"]}
    model = str(exported / ANY_SIZE)
    judged = run_json(console.folder, "evaluate", model, "--data", photos)
    first = judged["images"][0]  # all others train
    assert first["psnr_db"] == pytest.approx(files[ANY_SIZE]["psnr_db"])
    assert first["ssim"] == pytest.approx(files[ANY_SIZE]["ssim"])
    write_image(console.folder / "in.png", image(30, 37))
    assert console.run("upscale", model, "in.png", "out.png") == (0, "")
    with Image.open(console.folder / "out.png") as result:
        assert result.size == (111, 90)


def test_the_commands_name_the_files(exported: Path) -> None:
    text = (exported / "RUN.md").read_text()
    for size in (SPEC, OTHER):
        assert f"--graph=/data/local/tmp/int8_{size}.tflite" in text
        assert f"adb shell synap_cli -m /data/local/tmp/int8_{size}.synap" in text
    assert "--nnapi_accelerator_name=" in text
    for vendor in ("Qualcomm", "MediaTek", "GoogleTensor"):
        pushed = (
            f"adb shell mkdir -p /data/local/tmp/litert\nadb push libLiteRtDispatch_{vendor}.so"
        )
        assert pushed in text
    dispatch = "--use_npu=true --dispatch_library_path=/data/local/tmp/litert"
    plugin = "--compiler_plugin_library_path=/data/local/tmp/litert"
    assert text.count(f"{dispatch} {plugin}\n") == 2 * 2  # compiled on the phone
    assert text.count(dispatch) == 3 * 2
    assert "--cmd=apply --libs=. --soc_manufacturer=Google" in text
    assert f"adb push int8_{SPEC}_litert/compiled.tflite" in text
    assert "model.tflite" in text
    assert "PRO mode" in text


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python with ai-edge-litert, numpy and pillow, and nothing of ours."""
    folder = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin/python"
    packages = [f"{name}=={version(name)}" for name in ("ai-edge-litert", "numpy", "pillow")]
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*command, *packages], check=True)
    return python


def test_the_example_runs_with_three_packages_only(
    exported: Path, bare_python: Path, worker: Worker, tmp_path: Path
) -> None:
    lr = image(30, 37)
    write_image(tmp_path / "in.png", lr)
    fixed = TfliteUpscaler((exported / f"int8_{SPEC}.tflite").read_bytes(), worker).upscale(lr)
    whole = AnySizeUpscaler((exported / ANY_SIZE).read_bytes(), worker).upscale(lr)
    wanted = {f"int8_{SPEC}": fixed, f"uint8_{SPEC}": fixed, "model": fixed, ANY_SIZE[:-7]: whole}
    for name, expected in wanted.items():
        subprocess.run(
            [bare_python, exported / "example.py", exported / f"{name}.tflite", "in.png",
             "out.png"],
            cwd=tmp_path, check=True, env={},
        )  # fmt: skip
        with Image.open(tmp_path / "out.png") as result:
            np.testing.assert_array_equal(np.asarray(result), expected)
    lines = (exported / "example.py").read_text().splitlines()
    assert len(lines) <= 30


@pytest.mark.parametrize(
    "name",
    ["concat, image and features", "resize nearest of the image", "transposed conv x3",
     "channel attention", "space_to_depth", "clip by operators"],
)  # fmt: skip
def test_unsigned_ends_change_no_level(worker: Worker, name: str) -> None:
    _, tflite = worker.call(300, random_network, SMALL[name]())
    unsigned = with_unsigned_ends(tflite)
    assert require_super_resolution(read_tflite(unsigned)).levels.dtype == "uint8"
    lr = image(SPEC.height, SPEC.width)
    np.testing.assert_array_equal(
        TfliteUpscaler(tflite, worker).upscale(lr), TfliteUpscaler(unsigned, worker).upscale(lr)
    )


@pytest.mark.parametrize(
    ("name", "made"),
    [("space_to_depth", True), ("transposed conv x2", True), ("resize nearest x3", True),
     ("depthwise conv, dilated", False)],
)  # fmt: skip
def test_a_file_of_any_size_or_why_there_is_none(
    worker: Worker, photos: str, tmp_path: Path, name: str, made: bool
) -> None:
    source = make_source(SMALL[name](), worker, photos)
    Export().run([source], tmp_path / "out", worker, quiet)
    assert (tmp_path / "out" / ANY_SIZE).exists() is made
    assert (f"`{ANY_SIZE}` is left out: not integer-only" in (
        tmp_path / "out/card.md"
    ).read_text()) is not made  # fmt: skip


def spoiled(source: Source) -> Source:
    weights = {name: value * np.float32(1.1) for name, value in source.weights.items()}
    return dataclasses.replace(source, weights=weights)


def praised(source: Source) -> Source:
    figures = source.card.quality.int8.by_key
    better = MetricValues({**figures, "psnr_db": figures["psnr_db"] + 0.01})
    card = dataclasses.replace(source.card, quality=ModelQuality(better, better))
    return dataclasses.replace(source, card=card)


@pytest.mark.parametrize(
    ("spoil", "size", "error"),
    [(praised, SPEC, "card of abpn says"), (spoiled, OTHER, "weights.npz")],
)
def test_what_is_not_as_good_as_its_card_is_not_written(
    source: Source,
    worker: Worker,
    tmp_path: Path,
    spoil: Callable[[Source], Source],
    size: InputSpec,
    error: str,
) -> None:
    with pytest.raises(CandidateError, match=error):
        Export((size,)).run([spoil(source)], tmp_path / "out", worker, quiet)
    assert not (tmp_path / "out").exists()


def test_other_images_than_the_card_s_are_refused(
    source: Source, worker: Worker, tmp_path: Path, photos: str
) -> None:
    write_photos(tmp_path / "others", side=200)
    with pytest.raises(InputError, match="not the images that abpn was judged on"):
        Export(data=str(tmp_path / "others")).run([source], tmp_path / "out", worker, quiet)
    gone = dataclasses.replace(source.card, data=str(tmp_path / "gone"))
    moved = dataclasses.replace(source, card=gone)
    with pytest.raises(InputError, match="--data"):
        Export().run([moved], tmp_path / "out", worker, quiet)
    assert not (tmp_path / "out").exists()
    Export(data=photos).run([moved], tmp_path / "out", worker, quiet)
    assert (tmp_path / "out/SHA256SUMS").exists()


def test_an_export_is_replaced_and_a_folder_of_somebody_else_is_not(
    source: Source, worker: Worker, tmp_path: Path
) -> None:
    Export((OTHER,)).run([source], tmp_path / "out", worker, quiet)
    Export((SPEC,)).run([source], tmp_path / "out", worker, quiet)
    assert not (tmp_path / f"out/int8_{OTHER}.tflite").exists()
    write_whole(tmp_path / "mine/letter.txt", b"dear")
    with pytest.raises(InputError, match="holds other files"):
        Export().run([source], tmp_path / "mine", worker, quiet)
    with pytest.raises(InputError, match="is a file"):
        Export().run([source], tmp_path / "mine/letter.txt", worker, quiet)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter.txt"]


def write_device(folder: Path, like: str, name: str) -> None:
    device = load_device(like).model_copy(update={"name": name})
    write_whole(folder / "device.toml", device_toml(device).encode())


def random_arrays(candidate: Candidate) -> dict[str, np.ndarray]:
    shapes = value_shapes(candidate.deployed)
    return {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}


@pytest.mark.parametrize("granularity", WeightGranularity)
def test_a_trial_whose_device_has_moved(
    console: Console, worker: Worker, granularity: WeightGranularity
) -> None:
    write_device(console.folder / "mine", "vs680", "board")
    for table in ("measurements.csv",):
        (console.folder / "mine" / table).write_bytes(
            (load_device("vs680").folder / table).read_bytes()
        )
    [candidate] = candidates(1)
    study = finished_study("s", [candidate], str(console.folder / "mine"))
    weights, tflite = worker.call(300, random_network, candidate.deployed, granularity)
    files = study.folder.model(candidate.hash)
    write_arrays(files / "weights.npz", weights)
    write_whole(files / "model.tflite", tflite)

    [before] = find_sources("s#2")
    (console.folder / "mine").rename("moved")
    [after] = find_sources("s#2")
    assert (before.card.granularity, before.card.device) == (granularity, "board")
    assert before.device is not None
    assert after.card == dataclasses.replace(before.card, device="mine")
    assert (before.notes, len(after.notes), after.device) == ((), 1, None)
    trained = find_network("s#2", 3).trained
    assert trained is not None
    assert [trained.matches(trained.input, kind) for kind in WeightGranularity] == [
        kind is granularity for kind in WeightGranularity
    ]


def test_a_folder_of_a_long_training(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    write_photos(console.folder / "photos")
    write_device(console.folder / "desk/mine", "ethos-u65-512", "mine")
    words = ("--data", "photos", "--steps", "10", "--batch", "1", "--patch", "8", "--out", "t")
    own = ("--device", "desk/mine")
    assert console.run("train", "ABPN", "--scale", "2", *words, *own)[0] == 0
    (console.folder / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    [source] = find_sources("../t")
    assert (source.device, source.notes) == (load_device(console.folder / "desk/mine"), ())
    assert source.card.candidate == zoo.find("ABPN").build(2)
    monkeypatch.chdir(console.folder)
    (console.folder / "desk").rename("moved")
    code, errors = console.run("export", "t", "--to", "out", "--input", "48x64")
    assert (code, errors.count("\n")) == (0, 1)
    assert "device mine is not where it was; the latency is the card's" in errors
    card = json.loads((console.folder / "out/card.json").read_text())
    trained = json.loads((console.folder / "t/card.json").read_text())
    assert card["psnr_db"] == trained["psnr_db"]
    assert card["device"] == "mine"
    assert card["latency"]["ms"] == trained["latency"]["ms"]
    assert card["data"]["name"] == "photos"
    for path in (console.folder / "out").glob("*.[mj]*"):
        assert str(console.folder) not in path.read_text(), path
    console.refuse(2, "0x64", "export", "t", "--to", "other", "--input", "0x64")
    console.refuse(2, "8 pixels is too small", "export", "t", "--to", "other", "--input", "8x8")
    console.refuse(2, "no card.json", "export", "out/..", "--to", "other")
    weights = (console.folder / "t/weights.npz").read_bytes()
    write_arrays(console.folder / "t/weights.npz", dict(random_arrays(zoo.find("XLSR").build(2))))
    console.refuse(2, "of another network", "export", "t", "--to", "other")
    for cut in (0, 100):
        (console.folder / "t/weights.npz").write_bytes(weights[:cut])
        console.refuse(
            2, f"error: t/weights.npz: {cut} bytes that are no NPZ", "export", "t", "--to", "o"
        )
    (console.folder / "t/weights.npz").unlink()
    console.refuse(2, "weights.npz", "export", "t", "--to", "other")
    (console.folder / "t/card.json").write_text('{"name": "x"}')
    console.refuse(2, "card.json: psnr_db", "export", "t", "--to", "other")
