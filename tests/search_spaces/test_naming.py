"""A built-in's bare name means the built-in, whatever lies in the current folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from search_spaces.naming import from_anywhere, path_of, unknown

BUILT_IN = ("anchor", "vs680")


@pytest.mark.parametrize("word", ["./anchor", "anchor/", "../anchor", "/anchor", "mine", "Anchor"])
def test_a_path(word: str) -> None:
    assert path_of(word, BUILT_IN) == Path(word)


@pytest.mark.parametrize("word", BUILT_IN)
def test_a_built_in(word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / word).mkdir()
    assert path_of(word, BUILT_IN) is None
    assert from_anywhere(word, path_of(word, BUILT_IN)) == word
    assert from_anywhere(f"./{word}", Path(f"./{word}")) == str(tmp_path / word)


@pytest.mark.parametrize("word", ["", "not/there"])
def test_what_is_not_there_stays_as_it_was_said(word: str) -> None:
    assert from_anywhere(word, path_of(word, BUILT_IN)) == word


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("VS680", "unknown device 'VS680', did you mean 'vs680'?"),
        ("vs860 ", "unknown device 'vs860 ', did you mean 'vs680'?"),
        ("ethos-u85_1024", "unknown device 'ethos-u85_1024', did you mean 'ethos-u85-1024'?"),
        ("my-phone", "unknown device 'my-phone'"),
        ("", "unknown device ''"),
    ],
)
def test_an_unknown_name_and_what_was_probably_meant(word: str, message: str) -> None:
    assert unknown("device", word, ("ethos-u85-1024", "host", "vs680")) == message
