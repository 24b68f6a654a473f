"""What a person gets wrong, or a machine: one line, the right exit code, and nothing lost."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import optuna
import pytest

from latency_models import device
from nas.cli import main
from nas.data import PatchSampler, load_data, load_images, write_image
from nas.rehearsal import rehearse
from nas.study import StudyFolder, create_study
from search_spaces import InputError, InputSpec
from search_spaces.space import load_space

from .test_study import SETTINGS
from .tiny_model import make_tflite


@dataclass(frozen=True)
class Console:
    """Runs commands in ``folder``, within this process."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def run(self, *words: str) -> tuple[int, str]:
        """Exit code and standard error."""
        self.monkeypatch.setattr(sys, "argv", ["nas", *words])
        try:
            main()
        except SystemExit as end:
            code = end.code
        else:
            code = 0
        assert isinstance(code, int)
        return code, self.capsys.readouterr().err

    def files(self) -> dict[str, bytes | None]:
        """Every file's bytes, and every folder; not SQLite's journals, which come and go."""
        return {
            str(path): path.read_bytes() if path.is_file() else None
            for path in self.folder.rglob("*")
            if not path.name.endswith(("-wal", "-shm"))
        }

    def refuse(self, code: int, value: str, *words: str) -> str:
        """One line with ``value`` in it, the exit code, and no file other than before."""
        before = self.files()
        given, errors = self.run(*words)
        assert given == code, errors
        assert errors.startswith("error: "), errors
        assert errors.count("\n") == 1, errors
        assert value in errors
        assert self.files() == before
        return errors


@pytest.fixture
def console(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Console]:
    monkeypatch.chdir(tmp_path)
    yield Console(tmp_path, monkeypatch, capsys)
    logging.disable(logging.NOTSET)


SEARCH = ("search", "--budget", "1", "--study", "s")


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
        ("'nope'", ("export", "nope", "out")),
        ("'nope'", ("worker", "--study", "nope")),
        ("'x,y'", ("worker", "--study", "nope", "--cores", "x,y")),
        ("'99999'", ("worker", "--study", "nope", "--cores", "99999")),
        ("'a url'", (*SEARCH, "--storage", "a url")),
        ("nosuch", (*SEARCH, "--storage", "nosuch://host/x")),
        ("host:port", ("status", "s", "--storage", "postgresql://host:port/x")),
        ("known: ABPN", ("zoo", "show", "nope")),
        ("known: ABPN", ("train", "nope")),
        ("'s#'", ("train", "s#")),
        ("'s#x'", ("train", "s#x")),
        ("'s#-1'", ("train", "s#-1")),
        ("study name ''", ("train", "#3")),
        ("nope.json", ("train", "nope.json")),
        ("nowhere", ("train", "ABPN", "--data", "nowhere")),
        ("'nope'", ("train", "ABPN", "--device", "nope")),
        ("nowhere", ("train", "ABPN", "--test", "nowhere")),
        ("known: ABPN", ("latency", "predict", "nope", "--device", "ethos-u65-512")),
        ("nas latency measure", ("latency", "predict", "ABPN", "--device", "host")),
        ("nas latency predict", ("latency", "measure", "ABPN", "--device", "ethos-u65-512")),
        ("'nope'", ("latency", "predict", "ABPN", "--device", "nope")),
        ("'3by4'", ("latency", "predict", "ABPN", "--device", "ethos-u65-512", "--input", "3by4")),
        ("nope.tflite", ("evaluate", "nope.tflite")),
        ("nope.png", ("upscale", "nope.tflite", "nope.png", "out.png")),
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


def test_a_space_that_refuses_some_of_its_draws_is_none_of_them(console: Console) -> None:
    source = GOOD_SPACE.replace("    net =", "    assert trial.suggest_int('n', 0, 3)\n    net =")
    (console.folder / "mine.py").write_text(source)
    write_photos(console.folder / "photos")
    images = load_images(console.folder / "photos", 3)
    rehearse(load_space("mine.py"), InputSpec(36, 64), images, baselines=True)


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


def write_photos(folder: Path, count: int = 2, side: int = 120) -> None:
    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(0)
    for index in range(count):
        pixels = random.integers(0, 256, (side, side, 3), np.uint8)
        write_image(folder / f"{index}.png", pixels)


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


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The database of a study on ``photos`` that can be gone on with; nothing is trained yet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("template"))
        write_photos(Path("photos"))
        settings = replace(
            SETTINGS,
            space_fingerprint=load_space("anchor").fingerprint,
            data="photos",
            data_fingerprint=load_data("photos", 3).fingerprint,
        )
        database = create_study(StudyFolder.named("s"), None, settings).folder.database
        with contextlib.closing(sqlite3.connect(database)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return database.read_bytes()


@pytest.fixture
def folder(console: Console, template: bytes) -> StudyFolder:
    """That study in the current folder."""
    return copy_of(template)


def copy_of(template: bytes) -> StudyFolder:
    write_photos(Path("photos"))
    folder = StudyFolder.named("s")
    folder.create()
    folder.database.write_bytes(template)
    return folder


@pytest.mark.parametrize(
    ("value", "option"),
    [
        ("space anchor, not nope", ("--space", "nope")),
        ("device host, not ethos-u65-512", ("--device", "ethos-u65-512")),
        ("scale 3, not 2", ("--scale", "2")),
        ("input 36x64, not 90x160", ("--input", "90x160")),
        ("'big'", ("--input", "big")),
        ("seed 0, not 1", ("--seed", "1")),
        ("not embedded", ("--data", "embedded")),
    ],
)
def test_a_study_made_otherwise(
    console: Console, folder: StudyFolder, value: str, option: tuple[str, str]
) -> None:
    console.refuse(2, value, *SEARCH, *option)


def test_a_trial_that_is_not_there(console: Console, folder: StudyFolder) -> None:
    console.refuse(2, "s#7", "train", "s#7")
    console.refuse(2, "s#7", "latency", "predict", "s#7", "--device", "ethos-u65-512")
    console.refuse(2, "trial 7", "export", "s", "out", "--trial", "7")
    Path("file").touch()
    console.refuse(2, "file: is a file", "export", "s", "file")


def test_changed_images_and_a_lost_folder(console: Console, folder: StudyFolder) -> None:
    (console.folder / "photos/0.png").unlink()
    console.refuse(2, "photos", *SEARCH)
    shutil.rmtree(console.folder / "photos")
    console.refuse(2, "photos: no such folder", *SEARCH)


def foreign(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE invoices (id INTEGER)")
    connection.close()


DAMAGE: dict[str, Callable[[Path], object]] = {
    "garbage": lambda path: path.write_bytes(b"no database at all" * 1000),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-5000]),
    "cut in its header": lambda path: path.write_bytes(path.read_bytes()[:50]),
    "overwritten": lambda path: path.write_bytes(
        path.read_bytes()[:4096] + bytes(8192) + path.read_bytes()[12288:]
    ),
    "not Optuna's": foreign,
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_database_that_is_not_sound(console: Console, folder: StudyFolder, name: str) -> None:
    DAMAGE[name](folder.database)
    commands: tuple[tuple[str, ...], ...] = (
        SEARCH, ("status", "s"), ("pareto", "s"), ("export", "s", "out"), ("worker", "--study", "s")
    )  # fmt: skip
    for words in commands:
        console.refuse(1, "study.db: the study's database cannot be used", *words)


def test_an_empty_database_is_no_study_yet(console: Console, folder: StudyFolder) -> None:
    folder.database.write_bytes(b"")
    console.refuse(2, "no study 's'", "status", "s")


def test_somebody_else_s_study_in_the_same_database_is_left_alone(console: Console) -> None:
    url = f"sqlite:///{console.folder}/shared.db"
    theirs = optuna.create_study(study_name="s", storage=url)
    theirs.add_trial(optuna.create_trial(value=1.0))
    console.refuse(2, "study 's'", *SEARCH, "--storage", url)
    console.refuse(2, "study 's'", "status", "s", "--storage", url)
    assert len(optuna.load_study(study_name="s", storage=url).trials) == 1


@pytest.mark.parametrize("marker", [None, "*\n", "/build\n"])
def test_a_folder_of_somebody_else(console: Console, marker: str | None) -> None:
    folder = console.folder / "studies/s"
    folder.mkdir(parents=True)
    (folder / "thesis.tex").write_text("years of work")
    if marker is not None:
        (folder / ".gitignore").write_text(marker)
    for words in (SEARCH, ("status", "s"), ("worker", "--study", "s")):
        console.refuse(2, "studies/s exists and is not a study", *words)


def test_a_database_out_of_reach(console: Console) -> None:
    url = "sqlite:////no/such/folder/x.db"
    console.refuse(1, url, *SEARCH, "--storage", url)
    console.refuse(1, url, "status", "s", "--storage", url)


@dataclass(frozen=True)
class Disk:
    """A file system of its own, of a megabyte."""

    path: Path

    def remount(self, options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", self.path], check=True)

    def fill(self) -> None:
        """Not a byte is left."""
        with (self.path / "ballast").open("wb", buffering=0) as file:
            while True:
                try:
                    file.write(bytes(4096))
                except OSError:
                    return


@pytest.fixture
def disk(console: Console, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small disk")
    path = console.folder / "disk"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        pytest.skip(f"no disk can be mounted here: {result.stderr.strip()}")
    monkeypatch.chdir(path)
    try:
        yield Disk(path)
    finally:
        monkeypatch.chdir(console.folder)
        subprocess.run(["umount", "-l", path], check=True)


COMMANDS_THAT_WRITE: tuple[tuple[str, ...], ...] = (
    SEARCH, ("pareto", "s"), ("worker", "--study", "s"),
    ("upscale", "m.tflite", "in.png", "out.png"),
)  # fmt: skip


@pytest.mark.parametrize("state", ["full", "read-only"])
@pytest.mark.parametrize("words", COMMANDS_THAT_WRITE, ids=lambda words: words[0])
def test_a_disk_that_takes_nothing(
    console: Console, disk: Disk, template: bytes, words: tuple[str, ...], state: str
) -> None:
    copy_of(template)
    Path("m.tflite").write_bytes(make_tflite())
    write_image(Path("in.png"), np.zeros((64, 64, 3), np.uint8))
    if state == "full":
        disk.fill()
    else:
        disk.remount("ro")
    before = Path("studies/s/study.db").read_bytes()
    code, errors = console.run(*words)
    assert code == 1, errors
    assert errors.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in errors
    assert Path("studies/s/study.db").read_bytes() == before
    assert not list(disk.path.rglob(".[0-9]*"))


def test_a_study_goes_on_when_its_disk_has_room_again(
    console: Console, disk: Disk, template: bytes
) -> None:
    copy_of(template)
    disk.fill()
    assert console.run(*SEARCH)[0] == 1
    (disk.path / "ballast").unlink()
    assert console.run("status", "s") == (0, "")


def test_a_study_that_was_killed_while_it_was_made_is_not_there(
    console: Console, folder: StudyFolder
) -> None:
    with contextlib.closing(sqlite3.connect(folder.database)) as connection, connection:
        connection.execute("DELETE FROM study_user_attributes")
    console.refuse(2, "no study 's'", "status", "s")
