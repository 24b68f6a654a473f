"""Options of a search: one description for the command line, the file and Python."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from nas.choices import Objective, Precision, Quantization, Risk, SamplerKind
from nas.cli import app
from nas.studies.budget import Budget
from nas.studies.config import read_config, write_config
from nas.studies.options import OptionError, SearchOptions
from search_spaces import InputError

from ..console import Console

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SIZES = st.builds("{}x{}".format, st.integers(1, 999), st.integers(1, 999))
OPTIONS = st.builds(
    SearchOptions,
    space=st.none() | TEXTS,
    device=st.none() | TEXTS,
    data=st.none() | TEXTS,
    input=st.none() | SIZES,
    scale=st.none() | st.integers(2, 4),
    objective=st.none() | st.sampled_from(Objective),
    risk=st.none() | st.sampled_from(Risk),
    sampler=st.none() | st.sampled_from(SamplerKind),
    quantize=st.none() | st.sampled_from(Quantization),
    max_latency_ms=st.none() | st.floats(1e-6, 1e6),
    seed=st.none() | st.integers(0, 2**40),
    trial_seconds=st.none() | st.floats(0.1, 1e6),
    steps=st.none() | st.integers(50, 10**6),
    precision=st.none() | st.sampled_from(Precision),
    baselines=st.none() | st.booleans(),
    warm_from=st.none() | st.lists(TEXTS, min_size=1, max_size=3).map(tuple),
    budget=st.none() | st.sampled_from(["50", "30m", "50,2h"]),
    study=st.none() | TEXTS,
    workers=st.none() | st.integers(1, 99),
    storage=st.none() | TEXTS,
    confirm=st.none() | TEXTS,
).filter(lambda options: options.steps is None or options.trial_seconds is None)


@given(options=OPTIONS)
def test_a_file_says_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, options: SearchOptions
) -> None:
    path = tmp_path_factory.getbasetemp() / "search.toml"
    write_config(path, options, "a remark")
    assert SearchOptions.of(read_config(path)) == options


@given(options=OPTIONS)
def test_the_command_line_takes_the_command(options: SearchOptions) -> None:
    nas, search, *words = shlex.split(options.command)
    assert nas == "nas"
    group = typer.main.get_command(app)
    command = group.commands[search]  # type: ignore[attr-defined]
    said = command.make_context(search, list(words)).params
    assert said.pop("config") is None
    assert said.pop("as_json") is False
    assert SearchOptions.of(said) == options


@pytest.mark.parametrize(
    ("message", "values"),
    [
        ("scale 5: input should be less than or equal to 4", {"scale": 5}),
        ("scale '3': input should be a valid integer", {"scale": "3"}),
        ("scale True", {"scale": True}),
        ("seed -1", {"seed": -1}),
        ("max-latency nan", {"max_latency_ms": float("nan")}),
        ("trial-seconds inf", {"trial_seconds": float("inf")}),
        ("steps 49", {"steps": 49}),
        ("leave one of them out", {"steps": 60, "trial_seconds": 20.0}),
        ("precision 'float16'", {"precision": "float16"}),
        ("objective 'speed': input should be 'score' or 'pareto'", {"objective": "speed"}),
        ("risk 'low': input should be 'mean', 'point' or 'upper'", {"risk": "low"}),
        ("baselines 'yes'", {"baselines": "yes"}),
        ("workers 0", {"workers": 0}),
        ("warm-from 'first'", {"warm_from": "first"}),
        ("warm-from [3]", {"warm_from": [3]}),
        ("budget '5x'", {"budget": "5x"}),
        ("'big'", {"input": "big"}),
    ],
)
def test_a_wrong_value_is_told_with_its_option(message: str, values: dict[str, object]) -> None:
    with pytest.raises(OptionError) as caught:
        SearchOptions.of({"space": "anchor", **values})
    assert message in str(caught.value)
    assert caught.value.field in values


@pytest.mark.parametrize(
    ("line", "message", "text"),
    [
        (2, "unknown key 'scal'; did you mean 'scale'?", 'budget = "1"\nscal = 3\n'),
        (1, "unknown key 'qqq'; known: space, device", "qqq = 3\n"),
        (1, "unknown key 'max_latency'; did you mean 'max-latency'?", "max_latency = 3\n"),
        (3, "unknown key 'search'", "scale = 3\n\n[search]\nscale = 2\n"),
        (4, "scale 7", '# scale = 3\nbudget = """\n1"""\nscale = 7\nseed = 1\n'),
        (2, "scale '3': input should be a valid integer", "seed = 1\nscale = '3'"),
        (1, "seed [1]", "seed = [1]\n"),
        (3, "space datetime.date(2026, 1, 1)", "seed = 1\n\nspace = 2026-01-01\nscale = 3\n"),
        (2, "budget '9x'", "seed = 1\nbudget = '9x'\n"),
        (1, "warm-from 'first'", "warm-from = 'first'\n"),
        (1, "warm-from datetime.date(2026, 1, 1)", "warm-from = 2026-01-01\n"),
        (2, "no TOML", "seed = 1\nscale =\n"),
        (2, "no TOML", "seed = 1\nseed = 2\n"),
    ],
)
def test_a_file_s_line_at_fault(console: Console, line: int, message: str, text: str) -> None:
    Path("c.toml").write_text(text)
    errors = console.refuse(2, message, "search", "--config", "c.toml", "--budget", "1")
    assert "c.toml" in errors
    assert f"line {line}" in errors


@pytest.mark.parametrize("content", [None, b"\xff = 1"])
def test_a_file_that_cannot_be_read(console: Console, content: bytes | None) -> None:
    if content is not None:
        Path("c.toml").write_bytes(content)
    console.refuse(2, "c.toml: ", "search", "--config", "c.toml")


def test_the_command_line_wins_over_the_file(console: Console) -> None:
    Path("c.toml").write_text('budget = "1"\nspace = "nope"\nstudy = "s"\nscale = 2\n')
    console.refuse(2, "'nope'", "search", "--config", "c.toml")
    console.refuse(2, "'other'", "search", "--config", "c.toml", "--space", "other")


def test_somebody_must_say_the_budget(console: Console) -> None:
    Path("c.toml").write_text("scale = 2\n")
    code, errors = console.run("search", "--config", "c.toml")
    assert code == 2
    assert "--budget" in errors
    assert not (console.folder / "studies").exists()


@given(
    st.builds(
        Budget,
        trials=st.none() | st.integers(1, 10**9),
        seconds=st.none() | st.floats(1e-6, 1e9),
    )
)
def test_a_budget_is_written_as_it_is_read(budget: Budget) -> None:
    if budget == Budget():
        assert not budget.option
        with pytest.raises(InputError):
            Budget.parse(budget.option)
    else:
        assert Budget.parse(budget.option) == budget
