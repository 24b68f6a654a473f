"""JSON as other programs read it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.system.files import json_text, write_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
)


def refuse(word: str) -> None:
    raise AssertionError(f"{word} is not JSON")


@given(VALUES)
def test_json_is_valid_whatever_the_values(value: object) -> None:
    json.loads(json_text(value), parse_constant=refuse)


def test_what_is_not_finite_is_null_and_all_else_is_kept(tmp_path: Path) -> None:
    kept = {"a": [1.5, "NaN"], "b": {"c": True}}
    write_json(tmp_path / "kept.json", kept)
    assert json.loads((tmp_path / "kept.json").read_text()) == kept
    assert json.loads(json_text({"a": math.inf, "b": [(-math.inf, math.nan)]})) == {
        "a": None,
        "b": [[None, None]],
    }


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(TypeError):
        json_text(object())
