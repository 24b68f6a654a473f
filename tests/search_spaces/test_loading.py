"""Built-in spaces by name, users' spaces from their files, and what can be wrong with these."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from search_spaces import GraphError, InputError
from search_spaces.spaces.loading import load_space

from .trials import FixedTrial, RandomTrial

GOOD = """
from search_spaces import GraphBuilder

VERSION = 7

def sample(trial, scale):
    net = GraphBuilder()
    width = trial.suggest_int("width", 4, 8)
    return net.image(net.conv(net.conv(net.input, width, relu=True), 3 * scale**2), scale)
"""
ONLY_X3 = GOOD.replace("trial, scale", "trial").replace("net = ", "scale = 3\n    net = ")


def write(folder: Path, text: str) -> str:
    path = folder / "mine.py"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_built_in() -> None:
    space = load_space("anchor")
    assert (space.name, space.version) == ("anchor", 1)
    assert space.draw(RandomTrial(1), 4).graph.scale == 4


def test_unknown_name_lists_the_known() -> None:
    with pytest.raises(
        InputError, match=r"'ancor', did you mean 'anchor'\?; known: anchor, .*mobile, or the path"
    ):
        load_space("ancor")


def test_users_file(tmp_path: Path) -> None:
    space = load_space(write(tmp_path, GOOD))
    assert (space.name, space.version) == (str(tmp_path / "mine.py"), 7)
    assert space.draw(FixedTrial({"width": 5}), 2).graph.scale == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.py"]


def test_a_file_is_read_anew_each_time(tmp_path: Path) -> None:
    load_space(write(tmp_path, GOOD)).draw(FixedTrial({"width": 8}), 3)
    changed = load_space(write(tmp_path, GOOD.replace("4, 8", "4, 9")))
    changed.draw(FixedTrial({"width": 9}), 3)


def test_modules_beside_a_file_are_imported_and_read_anew(tmp_path: Path) -> None:
    text = GOOD.replace("VERSION = 7", "from neighbor import VERSION")
    for version in (1, 2):
        (tmp_path / "neighbor.py").write_text(f"VERSION = {version}\n")
        assert load_space(write(tmp_path, text)).version == version
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.py", "neighbor.py"]


def test_scale_is_passed_only_where_it_is_taken(tmp_path: Path) -> None:
    space = load_space(write(tmp_path, ONLY_X3))
    assert space.draw(FixedTrial({"width": 4}), 3).graph.scale == 3
    with pytest.raises(InputError, match="returned a x3 network where x2 is asked for"):
        space.draw(FixedTrial({"width": 4}), 2)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x = 1\ndef sample(trial:\n", r"mine\.py, line 2: "),
        ("import math\n\nmath.sqrt(-1)\n", r"mine\.py, line 3: ValueError: "),
        ("import no_such_module", r"mine\.py, line 1: ModuleNotFoundError: "),
        ("import sys\nsys.exit(3)\n", r"mine\.py, line 2: SystemExit: 3"),
        ("VERSION = 1\n", r"mine\.py: has no function sample\(trial\)"),
        ("sample = 3\n", r"mine\.py: has no function sample\(trial\)"),
        ("VERSION = 'new'\ndef sample(trial): ...\n", r"VERSION is 'new'"),
    ],
)
def test_files_that_cannot_be_loaded(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        load_space(write(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_missing_and_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none.py: cannot be read \(No such file or directory\)$"):
        load_space(str(tmp_path / "none.py"))
    (tmp_path / "bytes.py").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(InputError, match="cannot be read"):
        load_space(str(tmp_path / "bytes.py"))


def test_a_pipe_a_socket_and_a_device_are_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    os.mkfifo("pipe.py")
    Path("device.py").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.py")
        for name in ("pipe.py", "device.py", "socket.py"):
            with pytest.raises(InputError, match=f"{name}: is a named pipe, a socket or a device"):
                load_space(name)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("return 3", r"mine\.py: sample\(\) returned int; it must return a Graph"),
        ("return trial.nothing", r"mine\.py, line 2: AttributeError: .*nothing"),
        ("raise SystemExit(3)", r"mine\.py, line 2: SystemExit: 3"),
        ("return {}[\n        'a']", r"mine\.py, line 2: KeyError: 'a'"),
    ],
)
def test_functions_that_fail(tmp_path: Path, body: str, reason: str) -> None:
    space = load_space(write(tmp_path, f"def sample(trial):\n    {body}\n"))
    with pytest.raises(InputError, match=reason) as caught:
        space.draw(RandomTrial(0), 3)
    assert "\n" not in str(caught.value)


def test_a_space_may_refuse_a_combination(tmp_path: Path) -> None:
    space = load_space(write(tmp_path, GOOD.replace("relu=True", "groups=2")))
    with pytest.raises(GraphError, match="3 input channels cannot be split"):
        space.draw(FixedTrial({"width": 4}), 3)
