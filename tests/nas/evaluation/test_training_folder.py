"""A folder belongs to one training: another is refused in a line, and what is there stays."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nas.evaluation.training_folder import TrainingFolder
from nas.exporting.folder import require_free
from nas.latency.model_reference import find_network
from nas.system.files import write_json
from nas.training import training_run
from nas.training.job import Weights
from search_spaces import InputError, zoo

from ..console import Console, write_photos

IDENTITY = {"candidate": "0123", "data": "4567", "steps": 20, "loss": "l1"}


def folder(path: Path, **other: object) -> TrainingFolder:
    return TrainingFolder(path, "net", {**IDENTITY, **other})


def finish(path: Path) -> None:
    own = folder(path)
    with own.locked():
        for file in (own.model, own.weights):
            file.write_bytes(b"done")
        write_json(own.card, {"identity": own.identity})


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"candidate": "9"}, "another network"),
        ({"data": "9"}, "other images"),
        ({"steps": 21}, "steps 20, not 21"),
        ({"steps": 21, "loss": "l2"}, "steps 20, not 21; loss l1, not l2"),
        ({"new_setting": 1}, "new_setting None, not 1"),
        ({"teacher": "9"}, "another teacher"),
        ({"smaller_copies": [0.5]}, "other sizes of its images"),
        ({"method": 9}, "a version of nas that trains otherwise"),
    ],
)
@pytest.mark.parametrize("finished", [False, True])
def test_another_training_is_told_what_differs(
    tmp_path: Path, other: dict[str, object], said: str, *, finished: bool
) -> None:
    path = tmp_path / "t"
    if finished:
        finish(path)
    else:
        with folder(path).locked():
            pass
    before = {file.name: file.read_bytes() for file in path.iterdir()}
    stranger = folder(path, **other)
    with pytest.raises(InputError, match=f"belongs to a training of net .*{said}.*--out"):
        _ = stranger.finished
    with pytest.raises(InputError, match=said), stranger.locked():
        pass
    assert {file.name: file.read_bytes() for file in path.iterdir()} == before


def test_its_own_goes_on_until_it_is_finished(tmp_path: Path) -> None:
    own = folder(tmp_path / "t")
    assert not own.finished
    with own.locked():
        assert not own.finished
    with own.locked():
        pass
    finish(tmp_path / "t")
    assert own.finished


def test_the_card_of_an_earlier_version_tells_whose_it_is(tmp_path: Path) -> None:
    finish(tmp_path)
    (tmp_path / "training.json").unlink()
    assert folder(tmp_path).finished
    with pytest.raises(InputError, match="steps 20, not 30"):
        folder(tmp_path, steps=30).require_own()


@pytest.mark.parametrize("name", ["training.json", "card.json"])
@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"identity": 3}'])
def test_one_that_does_not_say_whose_it_is(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=name), folder(tmp_path).locked():
        pass
    assert (tmp_path / name).read_text() == content


def test_somebody_else_s_folder_is_not_written_into(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").touch()
    for path in (tmp_path, tmp_path / "letter.txt"):
        with pytest.raises(InputError, match=r"letter\.txt"), folder(path).locked():
            pass
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_killed_while_it_wrote_whose_folder_it_is(tmp_path: Path) -> None:
    write = (
        "import os, sys; from pathlib import Path; from nas.system.files import writing\n"
        "with writing(Path(sys.argv[1])) as file: file.touch(); os.kill(os.getpid(), 9)"
    )
    own = folder(tmp_path / "t")
    subprocess.run([sys.executable, "-c", write, str(own.path / "training.json")], check=False)
    (left,) = own.path.iterdir()
    require_free(own.path)  # nor does an export take it for somebody's
    with own.locked():
        pass
    assert left.name != "training.json"


def test_two_at_once(tmp_path: Path) -> None:
    own = folder(tmp_path / "t")
    with own.locked(), pytest.raises(InputError, match="another process is training"), own.locked():
        pass
    hold = (
        "import sys, time; from pathlib import Path; from nas.system.locks import alone\n"
        "with alone(Path(sys.argv[1]), 'training'): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(own.path)], stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(InputError, match="another process is training"), own.locked():
            pass
        os.kill(other.pid, signal.SIGKILL)
    with own.locked():
        pass


def test_a_network_of_a_card_is_called_as_the_card_calls_it(tmp_path: Path) -> None:
    architecture = zoo.find("ABPN").build(2).to_json()

    def named(file: str, **card: object) -> str:
        path = tmp_path / "mine" / file
        write_json(path, {"architecture": architecture, **card})
        return find_network(str(path), 3).name

    assert named("card.json", name="ABPN-x2") == "ABPN-x2"
    assert named("rank01-trial0003.json", study="first", trial=3) == "first-3"
    assert named("card.json") == "mine"
    assert named("other.json") == "other"
    for name in ("../x", "", "a/b", ".", 3, None):
        assert named("card.json", name=name) == "mine"


def test_the_same_command_after_the_end_does_nothing(console: Console) -> None:
    write_photos(console.folder / "photos")
    small = ("--data", "photos", "--steps", "10", "--batch", "1", "--patch", "8")
    train = ("train", "ABPN", "--scale", "2", *small)
    assert console.run(*train)[0] == 0
    before = console.files()
    code, errors = console.run(*train)
    assert code == 0
    assert "trained/ABPN-x2: this training is finished, nothing to do" in errors
    code, errors = console.run("train", "trained/ABPN-x2/card.json", *small)
    assert code == 0, errors  # the same network, images and recipe
    assert console.files() == before

    card = json.loads(Path("trained/ABPN-x2/card.json").read_text())
    assert (card["device"], card["device_found_as"]) == ("vs680", "vs680")
    out = ("--out", "trained/ABPN-x2")
    console.refuse(2, "steps 10, not 11", *train, "--steps", "11")
    console.refuse(2, "another network", "train", "XLSR", "--scale", "2", *small, *out)
    console.refuse(2, "for vs680 at 360x640, not for host", *train, "--device", "host")
    assert "nothing to do" in console.run(*train, "--quantize", "ptq")[1]  # INT8 steps are made
    Path("trained/ABPN-x2/card.json").write_text('{"identity": ')
    console.refuse(2, "card.json: cannot be read as JSON", *train)


def test_what_was_only_quantized_goes_on_with_int8_steps(console: Console) -> None:
    write_photos(console.folder / "photos")
    train = ("train", "ABPN", "--data", "photos", "--steps", "10", "--batch", "1", "--patch", "8")
    assert console.run(*train, "--quantize", "ptq")[0] == 0
    trained = Path("trained/ABPN-x3")
    before = {path.name: path.read_bytes() for path in trained.iterdir()}
    seconds = json.loads(before["card.json"])["seconds"]
    console.refuse(2, "for vs680 at 360x640, not for host", *train, "--device", "host")
    console.refuse(2, "steps 10, not 11", *train, "--steps", "11")
    assert {path.name: path.read_bytes() for path in trained.iterdir()} == before

    assert "nothing to do" not in console.run(*train)[1]
    assert (trained / "float.npz").read_bytes() == before["float.npz"]
    files = [(trained / name).read_bytes() for name in ("model.tflite", "other.tflite")]
    assert files.count(before["model.tflite"]) == 1
    card = json.loads((trained / "card.json").read_text())
    assert card["training"]["quantization"] == "auto"
    assert card["seconds"]["training"] > seconds["training"]
    assert "nothing to do" in console.run(*train)[1]

    at_once = ("--out", "at_once")
    assert console.run(*train, *at_once)[0] == 0
    for name in ("model.tflite", "other.tflite", "float.npz", "twin.npz"):
        assert (trained / name).read_bytes() == (Path("at_once") / name).read_bytes()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_while_quantizing_stops_at_once(
    console: Console, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    write_photos(console.folder / "photos")
    train = ("train", "ABPN", "--data", "photos", "--steps", "10", "--batch", "1", "--patch", "8")

    def interrupted(*_: object) -> Weights:
        signal.raise_signal(number)
        raise AssertionError("not interrupted")

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs ignore it
    try:
        with monkeypatch.context() as patch:
            patch.setattr(training_run, "quantized_weights", interrupted)
            assert console.run(*train)[0] == 130
    finally:
        signal.signal(signal.SIGINT, before)
    trained = Path("trained/ABPN-x3")
    with np.load(trained / "checkpoint.npz") as checkpoint:
        about = json.loads(str(checkpoint["about"]))
    assert (about["phase"], about["step"]) == ("twin", 3)  # its last step: no step is taken again
    # INT8 steps may be left out now, though they were taken.
    assert console.run(*train, "--quantize", "ptq")[0] == 0
    assert not (trained / "twin.npz").exists()


def test_a_folder_of_an_earlier_version_goes_on(tmp_path: Path) -> None:
    """It said whether INT8 steps would follow."""
    with folder(tmp_path, quantization="ptq").locked():
        pass
    folder(tmp_path).require_own()
    with pytest.raises(InputError, match=r"\(steps 20, not 30\)"):
        folder(tmp_path, steps=30).require_own()
