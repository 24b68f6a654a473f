"""What a person gets wrong: one line, the right exit code, and nothing lost."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from latency_models import device
from nas.data.images import load_images, write_image
from nas.data.patches import PatchSampler
from nas.searching.preflight import require_searchable
from search_spaces import InputError, InputSpec
from search_spaces.spaces.loading import load_space

from .console import SEARCH, Console, write_photos
from .tiny_model import make_tflite


@pytest.mark.parametrize(
    ("value", "words"),
    [
        *((budget, ("search", "--budget", budget))
          for budget in ("0", "-5", "abc", "", "1h,2h", "2.5", "9" * 400)),
        ("known: anchor", (*SEARCH, "--space", "nope")),
        ("nope.py", (*SEARCH, "--space", "nope.py")),
        ("ethos-u85-1024", (*SEARCH, "--device", "nope")),
        ("unknown device ''", (*SEARCH, "--device", "")),
        ("nowhere", (*SEARCH, "--data", "nowhere")),
        ("data ''", (*SEARCH, "--data", "")),
        ("'garbage'", (*SEARCH, "--input", "garbage")),
        ("0x64", (*SEARCH, "--input", "0x64")),
        ("99999x64", (*SEARCH, "--input", "99999x64")),
        ("--input 1x1", (*SEARCH, "--input", "1x1")),
        ("ABPN", (*SEARCH, "--input", "8x8")),
        ("--input 8x8", (*SEARCH, "--input", "8x8", "--no-baselines")),
        ("4096 workers", (*SEARCH, "--workers", "4096")),
        ("'../x'", ("search", "--budget", "1", "--study", "../x")),
        ("study name ''", ("search", "--budget", "1", "--study", "")),
        ("'.hidden'", ("status", ".hidden")),
        ("'nope'", ("status", "nope")),
        ("'nope'", ("pareto", "nope")),
        ("'nope'", ("export", "nope", "--to", "out")),
        ("'nope'", ("worker", "--study", "nope")),
        ("'x,y'", ("worker", "--study", "nope", "--cores", "x,y")),
        ("'99999'", ("worker", "--study", "nope", "--cores", "99999")),
        ("'a url'", (*SEARCH, "--storage", "a url")),
        ("nosuch", (*SEARCH, "--storage", "nosuch://host/x")),
        ("'sqlite://'", (*SEARCH, "--storage", "sqlite://")),
        ("in memory", (*SEARCH, "--storage", "sqlite:///:memory:")),
        ("host:port", ("status", "s", "--storage", "postgresql://host:port/x")),
        ("known: ABPN", ("zoo", "show", "nope")),
        ("of the zoo: ABPN", ("train", "nope")),
        ("'s#'", ("train", "s#")),
        ("'s#x'", ("train", "s#x")),
        ("'s#-1'", ("train", "s#-1")),
        ("study name ''", ("train", "#3")),
        ("nope.json", ("train", "nope.json")),
        ("nowhere", ("train", "ABPN", "--data", "nowhere")),
        ("'nope'", ("train", "ABPN", "--device", "nope")),
        ("nowhere", ("train", "ABPN", "--test", "nowhere")),
        ("nowhere.tflite", ("train", "ABPN", "--teacher", "nowhere.tflite")),
        ("'nope'", ("train", "ABPN", "--teacher", "nope")),
        ("of the zoo: ABPN", ("latency", "predict", "nope", "--device", "ethos-u65-512")),
        ("nas latency measure", ("latency", "predict", "ABPN", "--device", "host")),
        ("nas latency predict", ("latency", "measure", "ABPN", "--device", "ethos-u65-512")),
        ("'nope'", ("latency", "predict", "ABPN", "--device", "nope")),
        ("'3by4'", ("latency", "predict", "ABPN", "--device", "ethos-u65-512", "--input", "3by4")),
        ("nope.tflite", ("evaluate", "nope.tflite")),
        ("nope.png", ("upscale", "nope.tflite", "nope.png", "out.png")),
        ("neither a file nor a model", ("evaluate", "found-u85-6m")),
        ("neither a file nor a model", ("check", "mine#3")),
        ("`nas train XLSR` makes one", ("evaluate", "XLSR")),
        ("does not hold the network", ("quality", "predict", "m.tflite")),
        ("does not hold the network", ("train", "m.tflite")),
        (".: is no network", ("latency", "predict", ".", "--device", "vs680")),
        (".: is a folder; name the file", ("upscale", "abpn-x3", "in.png", ".")),
        ("budget '-5m' cannot be read", ("search", "--budget", "-5m")),
    ],
)  # fmt: skip
def test_a_wrong_argument(console: Console, value: str, words: tuple[str, ...]) -> None:
    console.refuse(2, value, *words)


@pytest.mark.parametrize(
    "words",
    [
        ("search",),
        *((*SEARCH, option, value) for option, value in (
            ("--scale", "5"), ("--max-latency", "0"), ("--max-latency", "-1"),
            ("--max-latency", "nan"), ("--max-latency", "inf"), ("--trial-seconds", "0"),
            ("--trial-seconds", "nan"), ("--trial-seconds", "inf"), ("--seed", "-1"),
            ("--workers", "0"), ("--objective", "nope"), ("--sampler", "nope"),
            ("--quantize", "nope"), ("--nope", "1"),
        )),
        ("nope",),
        ("status",),
        ("train", "ABPN", "--steps", "0"),
        ("train", "ABPN", "--patch", "1"),
        ("zoo", "show", "ABPN", "--scale", "1"),
    ],
)  # fmt: skip
def test_a_wrong_option_shows_the_usage(console: Console, words: tuple[str, ...]) -> None:
    code, errors = console.run(*words)
    assert code == 2
    assert errors.startswith("Usage: ")
    assert "Traceback" not in errors
    assert not console.files()


@pytest.mark.parametrize(
    "words",
    [("data", "div2k"), ("latency", "probe", "--device", "host", "--out")],
)
def test_a_file_where_a_folder_is_needed(console: Console, words: tuple[str, ...]) -> None:
    Path("taken").write_text("mine", encoding="utf-8")
    console.refuse(2, "taken: a file is where a folder is needed", *words, "taken")


def test_a_bench_writes_into_no_file(console: Console) -> None:
    Path("taken").write_text("mine", encoding="utf-8")
    console.refuse(2, "taken: is a file", "zoo", "bench", "ESPCN", "--out", "taken")


GOOD_SPACE = """
from search_spaces import GraphBuilder

def sample(trial, scale=3):
    net = GraphBuilder()
    features = net.conv(net.input, trial.suggest_int("width", 4, 8), relu=True)
    return net.image(net.conv(features, 3 * scale**2), scale)
"""


@pytest.mark.parametrize(
    ("value", "source"),
    [
        ("mine.py, line 2", "\ndef sample(trial:\n"),
        ("no function sample", "def draw(trial):\n    pass\n"),
        ("no function sample", "sample = 3\n"),
        ("must return a Graph", "def sample(trial):\n    return 7\n"),
        ("must return a Graph", "def sample(trial):\n    pass\n"),
        ("line 1: ModuleNotFoundError", "import no_such_module\n"),
        ("line 2: NameError", "def sample(trial):\n    return graph\n"),
        ("TypeError", "def sample():\n    pass\n"),
        ("VERSION", 'VERSION = "a"\ndef sample(trial):\n    pass\n'),
        ("x3 network", GOOD_SPACE.replace("scale=3", "x=3").replace("scale", "3")),
        ("cannot be read", "\udcff"),
    ],
)
def test_a_space_s_file_is_told_at_once(console: Console, value: str, source: str) -> None:
    (console.folder / "mine.py").write_bytes(source.encode(errors="surrogateescape"))
    errors = console.refuse(2, value, *SEARCH, "--space", "mine.py", "--scale", "2")
    assert "mine.py" in errors


def test_what_a_space_prints_does_not_spoil_json(console: Console) -> None:
    source = GOOD_SPACE.replace("    net =", "    print('drawn')\n    net =")
    (console.folder / "mine.py").write_text(f"print('loaded')\n{source}")
    code, output, errors = console.run_whole("space", "sample", "mine.py", "--json")
    assert code == 0, errors
    assert len(json.loads(output)) == 1
    assert errors == "loaded\ndrawn\n"


@pytest.mark.parametrize(
    "words",
    [
        ("space", "count", "pipe.py"),
        ("check", "pipe.tflite"),
        ("latency", "predict", "pipe.tflite", "--device", "ethos-u65-512"),
        ("latency", "predict", "pipe.json", "--device", "ethos-u65-512"),
        ("upscale", "pipe.tflite", "in.png", "out.png"),
        ("search", "--config", "pipe.toml"),
    ],
)
def test_nobody_waits_for_a_pipe(console: Console, words: tuple[str, ...]) -> None:
    [name] = (word for word in words if word.startswith("pipe"))
    write_image(console.folder / "in.png", np.zeros((9, 9, 3), np.uint8))
    os.mkfifo(console.folder / name)
    code, errors = console.run(*words)
    assert code == 2
    assert errors.endswith(f"{name}: is a named pipe, a socket or a device; give a regular file\n")
    assert errors.count("\n") == 1


def test_a_space_that_refuses_some_of_its_draws_is_none_of_them(console: Console) -> None:
    source = GOOD_SPACE.replace("    net =", "    assert trial.suggest_int('n', 0, 3)\n    net =")
    (console.folder / "mine.py").write_text(source)
    write_photos(console.folder / "photos")
    images = load_images(console.folder / "photos", 3)
    require_searchable(load_space("mine.py"), InputSpec(36, 64), images, baselines=True)


@pytest.mark.parametrize(
    ("value", "widths"),
    [
        ("line 6: ValueError: parameter 'width' has a choice (4, 8)", "[(4, 8), (8, 4)]"),
        ("'width' has other choices in other", "[4, 8] if trial.suggest_int('n', 0, 1) else [6]"),
    ],
)
def test_choices_that_a_study_does_not_keep(console: Console, value: str, widths: str) -> None:
    """Before the search, in which some or all of its trials would fail."""
    asked = f'suggest_categorical("width", {widths})'
    source = GOOD_SPACE.replace('suggest_int("width", 4, 8)', asked)
    (console.folder / "mine.py").write_text(source)
    write_photos(console.folder / "photos")
    console.refuse(2, value, *SEARCH, "--data", "photos", "--space", "mine.py")
    code, output, _ = console.run_whole("space", "check", "mine.py", "--convert", "0")
    assert code == 1
    assert value in output


@pytest.mark.parametrize(
    ("value", "old", "new"),
    [
        ("device.toml", 'source = "vela"', "source = "),
        ("settings", 'source = "vela"', 'source = "oracle"'),
        ("input", 'input = "360x640"', 'input = "big"'),
        ("nonsense", 'title = "', 'nonsense = 1\ntitle = "'),
        ("No_Such_System", "Ethos_U65_Client_Server", "No_Such_System"),
        ("device.toml", 'title = "', 'title = "\udcff'),
    ],
)
def test_a_device_s_file(console: Console, value: str, old: str, new: str) -> None:
    shipped = Path(device.__file__).parent / "devices/ethos-u65-512/device.toml"
    text = shipped.read_text()
    assert old in text
    (console.folder / "mine").mkdir()
    broken = text.replace(old, new).encode(errors="surrogateescape")
    (console.folder / "mine/device.toml").write_bytes(broken)
    console.refuse(2, value, *SEARCH, "--device", "mine")
    console.refuse(2, value, "latency", "predict", "ABPN", "--device", "mine")


MODELS: dict[str, tuple[str, bytes]] = {
    "garbage": ("not a TFLite file", b"not a model at all"),
    "empty": ("is empty", b""),
    "truncated": ("damaged", make_tflite()[:-300]),
    "two": ("2 inputs", make_tflite(inputs=2)),
    "none": ("0 inputs", make_tflite(inputs=0)),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_s_file(console: Console, name: str) -> None:
    value, content = MODELS[name]
    model = f"{name}.tflite"
    Path(model).write_bytes(content)
    write_image(Path("in.png"), np.zeros((9, 9, 3), np.uint8))
    for words in (
        ("evaluate", model),
        ("upscale", model, "in.png", "out.png"),
        ("latency", "predict", model, "--device", "ethos-u65-512"),
        ("latency", "measure", model, "--device", "host"),
    ):
        assert f"{model}: " in console.refuse(2, value, *words)


def test_a_model_in_floating_point_and_a_folder(console: Console) -> None:
    Path("float.tflite").write_bytes(make_tflite(float32=True))
    console.refuse(2, "float.tflite: not integer-only", "evaluate", "float.tflite")
    Path("folder.tflite").mkdir()
    console.refuse(2, "folder.tflite: cannot be read", "evaluate", "folder.tflite")


def test_a_model_of_another_size(console: Console) -> None:
    Path("m.tflite").write_bytes(make_tflite())
    words = ("latency", "measure", "m.tflite", "--device", "host", "--input", "8x8")
    console.refuse(2, "16x16 images only, not 8x8", *words)


@pytest.mark.parametrize(
    ("value", "data"),
    [
        ("a list of nodes", '{"architecture": 3}'),
        ("a list of nodes", "3"),
        ("no node", "[]"),
        ("node 0", "[1]"),
        ("unknown operator", '[{"name": "a", "kind": ["conv"], "inputs": ["input"]}]'),
        ("cannot be read as JSON", "[" * 100_000),
        ("cannot be read as JSON", "{"),
    ],
)
def test_a_graph_s_file(console: Console, value: str, data: str) -> None:
    (console.folder / "graph.json").write_text(data)
    assert "graph.json" in console.refuse(2, value, "train", "graph.json")


@pytest.mark.parametrize(
    ("value", "count", "side"), [("no image", 0, 0), ("too small", 2, 60), ("at least 2", 1, 120)]
)
def test_a_folder_without_images_to_train_on(
    console: Console, value: str, count: int, side: int
) -> None:
    write_photos(console.folder / "photos", count, side)
    console.refuse(2, value, *SEARCH, "--data", "photos")
    console.refuse(2, value, "train", "ABPN", "--data", "photos")


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n" + bytes(50), b"II*\0"])
def test_broken_images(console: Console, content: bytes) -> None:
    Path("photos").mkdir()
    Path("photos/a.png").write_bytes(content)
    Path("m.tflite").write_bytes(make_tflite())
    for words in ((*SEARCH, "--data", "photos"), ("evaluate", "m.tflite", "--data", "photos")):
        console.refuse(2, "a.png: cannot be read as an image", *words)
    console.refuse(2, "a.png", "upscale", "m.tflite", "photos/a.png", "out.png")


def test_a_file_where_a_folder_of_images_belongs(console: Console) -> None:
    write_image(Path("in.png"), np.zeros((9, 9, 3), np.uint8))
    console.refuse(2, "in.png: is a file", "evaluate", "abpn-x3", "--data", "in.png")
    console.refuse(2, "in.png: is a file", "data", "check", "in.png")


def test_a_patch_larger_than_an_image(console: Console) -> None:
    write_photos(console.folder / "photos")
    with pytest.raises(InputError, match=r"patch 64: 0\.png has only 40x40"):
        PatchSampler(load_images(console.folder / "photos", 3), 1, 64)
    words = ("train", "ABPN", "--data", "photos", "--patch", "64")
    console.refuse(2, "patch 64", *words)


def test_an_image_that_cannot_be_written(console: Console) -> None:
    Path("m.tflite").write_bytes(make_tflite())
    write_image(Path("in.png"), np.zeros((9, 9, 3), np.uint8))
    console.refuse(2, "out.xyz: unknown image ending", "upscale", "m.tflite", "in.png", "out.xyz")
    console.refuse(1, "m.tflite", "upscale", "m.tflite", "in.png", "m.tflite/out.png")
