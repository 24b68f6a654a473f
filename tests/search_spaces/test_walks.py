"""Counting a space, and what it asks."""

from __future__ import annotations

from pathlib import Path

import pytest

from search_spaces import GraphError
from search_spaces.space import Space, load_space
from search_spaces.walks import Question, count, questions, samples

TREE = """
from search_spaces import GraphBuilder, GraphError

def sample(trial, scale):
    net = GraphBuilder()
    features = net.input
    kind = trial.suggest_categorical("kind", ("short", "long", "never"))
    if kind == "never":
        raise GraphError("never")
    for layer in range(1 if kind == "short" else trial.suggest_int("depth", 2, 4)):
        features = net.conv(features, trial.suggest_int(f"width_{layer}", 4, 12, step=4), relu=True)
    return net.image(net.conv(features, 3 * scale**2), scale)
"""
#: One that is refused, 3 widths, and 3^2 + 3^3 + 3^4 of the long ones.
LEAVES = 1 + 3 + 9 + 27 + 81


def space(folder: Path, text: str = TREE) -> Space:
    path = folder / "tree.py"
    path.write_text(text, encoding="utf-8")
    return load_space(str(path))


def test_a_small_space_is_counted(tmp_path: Path) -> None:
    counted = count(space(tmp_path), 3)
    assert counted.exact
    assert counted.combinations == LEAVES


def test_a_large_one_is_estimated(tmp_path: Path) -> None:
    wide = TREE.replace("4, 12, step=4", "1, 64")
    counted = count(space(tmp_path, wide), 3)
    assert not counted.exact
    true = 1 + 64 + 64**2 + 64**3 + 64**4
    assert abs(counted.combinations - true) < 4 * counted.standard_error < 0.5 * true


def test_what_is_asked(tmp_path: Path) -> None:
    asked = questions(space(tmp_path), 3)
    assert asked[Question("kind", ("short", "long", "never"))] == 1
    assert 0.3 < asked[Question("depth", (2, 3, 4))] < 0.7
    assert 0 < asked[Question("width_3", (4, 8, 12))] < asked[Question("width_1", (4, 8, 12))]


@pytest.mark.parametrize(
    ("choices", "text"),
    [
        ((1, 2), "1, 2"),
        (tuple(range(8, 65, 4)), "8 to 64, step 4"),
        (tuple(range(1, 9)), "1 to 8"),
        (("relu", "prelu"), "relu, prelu"),
        ((False, True), "False, True"),
    ],
)
def test_choices_as_text(choices: tuple[object, ...], text: str) -> None:
    assert Question("any", choices).text == text


def test_a_space_that_refuses_everything_says_why(tmp_path: Path) -> None:
    refusing = TREE.replace('if kind == "never":', "if True:")
    with pytest.raises(GraphError, match="never"):
        list(samples(space(tmp_path, refusing), 3, 1, seed=0))
