"""A space's fingerprint follows what it draws, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from search_spaces import Graph, InputError
from search_spaces.spaces.fingerprint import fingerprint
from search_spaces.spaces.loading import built_in, load_space
from search_spaces.spaces.space import Space
from search_spaces.transforms import candidate
from search_spaces.transforms.rewrites import Rewrite

TEXT = """
from search_spaces import Candidate, Deployment, GraphBuilder, GraphError

def sample(trial, scale):
    net = GraphBuilder()
    width = trial.suggest_int("width", 4, 64, step=4)
    ratio = trial.suggest_float("ratio", 0.5, 2.0)
    if width > 60:
        raise GraphError("too wide")
    features = net.conv(net.input, width, relu=True)
    for _ in range(trial.suggest_int("depth", 1, 100, log=True) // 20):
        features = net.conv(features, 1 + int(width * ratio), relu=True)
    graph = net.image(net.conv(features, 3 * scale**2), scale)
    return Candidate(graph, Deployment(channel_step=trial.suggest_categorical("step", [1, 8])))
"""


def mark(folder: Path, text: str, scale: int = 3) -> str:
    (folder / "mine.py").write_text(text, encoding="utf-8")
    return fingerprint(load_space(str(folder / "mine.py")), scale)


@pytest.mark.parametrize("module", built_in())
def test_built_in_spaces(module: object) -> None:
    space = load_space(module.__name__.rpartition(".")[2])  # type: ignore[attr-defined]
    assert re.fullmatch("[0-9a-f]{16}", fingerprint(space, 2))
    assert fingerprint(space, 2) == fingerprint(space, 2) != fingerprint(space, 3)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    net = ", "    # a comment\n    net = "),
        ("width", "w"),  # of the variable and of nothing that is asked
        ("\n\ndef", "\n\n\ndef helper(): ...\n\n\ndef"),
    ],
)
def test_other_words_for_the_same_networks(tmp_path: Path, old: str, new: str) -> None:
    text = TEXT.replace('"width"', '"channels"')
    assert mark(tmp_path, text.replace(old, new)) == mark(tmp_path, text)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("4, 64", "4, 68"),
        ("0.5, 2.0", "0.5, 2.1"),
        ("// 20", "// 19"),
        ("> 60", "> 56"),
        ("[1, 8]", "[8, 1]"),
        ("[1, 8]", "[1, 16]"),
        ('"width"', '"channels"'),
        ("\ndef", "\nVERSION = 2\n\ndef"),
        (", log=True", ""),
    ],
)
def test_other_networks_or_questions(tmp_path: Path, old: str, new: str) -> None:
    assert old in TEXT
    assert mark(tmp_path, TEXT.replace(old, new)) != mark(tmp_path, TEXT)


def test_an_imported_module_counts(tmp_path: Path) -> None:
    text = TEXT.replace("4, 64", "4, limits.MOST").replace("\ndef", "\nimport limits\n\ndef", 1)
    (tmp_path / "limits.py").write_text("MOST = 64\n")
    before = mark(tmp_path, text)
    (tmp_path / "limits.py").write_text("# as many as fit\nMOST = 64\n")
    assert mark(tmp_path, text) == before
    (tmp_path / "limits.py").write_text("MOST = 68\n")
    assert mark(tmp_path, text) != before


def test_a_rewrite_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = mark(tmp_path, TEXT)

    def none(graph: Graph, step: int) -> Rewrite:
        return Rewrite(graph)

    monkeypatch.setattr(candidate, "pad_channels", none)
    assert mark(tmp_path, TEXT) != before


def test_a_space_that_refuses_nearly_everything_has_one(tmp_path: Path) -> None:
    refusing = TEXT.replace("> 60", "> 4")
    assert mark(tmp_path, refusing) == mark(tmp_path, refusing)
    assert mark(tmp_path, refusing) != mark(tmp_path, refusing.replace("// 20", "// 10"))


def test_networks_that_depend_on_more_than_the_trial_are_refused() -> None:
    widths = iter(range(1, 10**6))

    def sample(trial: object, scale: int) -> Graph:
        from search_spaces import GraphBuilder

        net = GraphBuilder()
        return net.image(net.conv(net.conv(net.input, next(widths)), 27), scale)

    with pytest.raises(InputError, match="the same parameters gave two different networks"):
        fingerprint(Space("mine", 1, sample), 3)
