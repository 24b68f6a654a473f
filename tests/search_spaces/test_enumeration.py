"""Counting a space, and what it asks."""

from __future__ import annotations

from pathlib import Path

import pytest

from search_spaces import GraphError, InputError
from search_spaces.spaces.enumeration import Parameter, count, parameters, samples
from search_spaces.spaces.loading import load_space
from search_spaces.spaces.space import Space

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
    asked = parameters(space(tmp_path), 3)
    assert asked[Parameter("kind", ("short", "long", "never"))] == 1
    assert 0.3 < asked[Parameter("depth", (2, 3, 4))] < 0.7
    assert 0 < asked[Parameter("width_3", (4, 8, 12))] < asked[Parameter("width_1", (4, 8, 12))]


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
    assert Parameter("any", choices).text == text


def test_a_space_that_refuses_everything_says_why(tmp_path: Path) -> None:
    refusing = TREE.replace('if kind == "never":', "if True:")
    with pytest.raises(GraphError, match="never"):
        list(samples(space(tmp_path, refusing), 3, 1, seed=0))


def test_combinations_that_fail_are_passed_over(tmp_path: Path) -> None:
    """By the space's own code, as a search passes over them; not where all of them do."""
    failing = TREE.replace('raise GraphError("never")', "return 1 / 0")
    broken = space(tmp_path, failing)
    assert parameters(broken, 3) == parameters(space(tmp_path), 3)
    assert count(broken, 3) == count(space(tmp_path), 3)
    hopeless = space(tmp_path, failing.replace('if kind == "never":', "if True:"))
    for call in (parameters, count):
        with pytest.raises(InputError, match="line 9: ZeroDivisionError"):
            call(hopeless, 3)


def test_what_is_asked_where_most_draws_are_refused(tmp_path: Path) -> None:
    never = ", ".join(f'"never{number}"' for number in range(30))
    rare = TREE.replace('"never")', f"{never})").replace('== "never"', 'not in ("short", "long")')
    asked = parameters(space(tmp_path, rare), 3)
    assert 0.3 < asked[Parameter("depth", (2, 3, 4))] < 0.7


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ("suggest_int('w', 9, 4)", "'w': low 9 is more than high 4"),
        ("suggest_float('w', 1, float('nan'))", "'w': low 1 is more than high nan"),
        ("suggest_categorical('w', [])", "'w' has no choices"),
        ("suggest_categorical('w', ['a', (3, 1)])", r"'w' has a choice \(3, 1\); a study keeps"),
        ("suggest_categorical('w', [2, True, 1])", "'w' has choices True and 1, which are equal"),
    ],
)
def test_a_parameter_without_a_value_or_of_none_that_is_kept_is_told_with_its_line(
    tmp_path: Path, call: str, reason: str
) -> None:
    asking = space(tmp_path, f"def sample(trial):\n    return trial.{call}\n")
    with pytest.raises(InputError, match=rf"line 2: ValueError: parameter {reason}"):
        parameters(asking, 3)


ALL_OF_OPTUNA = """
from search_spaces import GraphBuilder

def sample(trial, scale):
    net = GraphBuilder()
    width = trial.suggest_int("width", 4, 64, log=True)
    assert width == trial.suggest_int("width", 4, 64, log=True) == trial.params["width"]
    assert 0.5 <= trial.suggest_float("ratio", 0.5, 2.0) <= 2.0
    assert trial.suggest_float("step", 0.0, 1.05, step=0.1) <= 1.0 + 1e-9
    assert 1e-4 <= trial.suggest_float("rate", 1e-4, 1e-1, log=True) <= 1e-1
    assert trial.suggest_int("seed", 0, 2**40) <= 2**40
    trial.suggest_uniform("old", 0.0, 1.0)
    trial.suggest_loguniform("older", 1.0, 2.0)
    trial.suggest_discrete_uniform("oldest", 0.0, 1.0, 0.25)
    trial.set_user_attr("remark", trial.number)
    return net.image(net.conv(net.conv(net.input, width), 3 * scale**2), scale)
"""


def test_a_space_may_ask_all_that_optuna_offers(tmp_path: Path) -> None:
    asking = space(tmp_path, ALL_OF_OPTUNA)
    drawn = [trial for trial, _ in samples(asking, 3, 200, seed=0)]
    widths = [trial.params["width"] for trial in drawn]
    assert set(widths) <= set(range(4, 65))
    assert 0.35 < sum(width < 16 for width in widths) / 200 < 0.65  # by logarithms, half way
    assert sum(trial.params["rate"] < 10**-2.5 for trial in drawn) in range(60, 140)
    asked = {parameter.name: parameter for parameter in parameters(asking, 3, trials=5)}
    assert [asked[name].text for name in ("width", "ratio", "step", "rate", "oldest")] == [
        "4 to 64, log", "0.5 to 2", "0 to 1, step 0.1", "0.0001 to 0.1, log", "0 to 1, step 0.25",
    ]  # fmt: skip
    assert asked["seed"].to_json() == {"name": "seed", "low": 0, "high": 2**40, "log": False}
    assert count(asking, 3).combinations == float("inf")
