from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.studies.budget import Budget, covered_seconds, format_seconds
from search_spaces import InputError


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("30m", Budget(seconds=1800)),
        ("50", Budget(trials=50)),
        ("50,2h", Budget(trials=50, seconds=7200)),
        ("1.5h", Budget(seconds=5400)),
        (" 90S , 3 ", Budget(trials=3, seconds=90)),
        ("1d", Budget(seconds=86400)),
    ],
)
def test_budgets_as_people_write_them(text: str, budget: Budget) -> None:
    assert Budget.parse(text) == budget


@pytest.mark.parametrize(
    "text", ["0", "-5", "abc", "", "1.5", "5,6", "5m,6h", "0m", "5x", "m", "٣"]
)
def test_what_is_no_budget_is_refused_with_its_text(text: str) -> None:
    with pytest.raises(InputError, match="budget"):
        Budget.parse(text)


@given(st.text(max_size=12))
def test_any_text_is_a_budget_or_an_input_error(text: str) -> None:
    try:
        budget = Budget.parse(text)
    except InputError:
        return
    assert (budget.trials or 0) > 0 or (budget.seconds or 0) > 0


def test_overlapping_workers_count_once() -> None:
    assert covered_seconds([(0, 10), (5, 12), (20, 21)]) == 13
    assert covered_seconds([]) == 0


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e4))))
def test_covered_time_is_at_least_the_longest_and_at_most_the_sum(
    spans: list[tuple[float, float]],
) -> None:
    intervals = [(start, start + length) for start, length in spans]
    lengths = [stop - start for start, stop in intervals]
    covered = covered_seconds(intervals)
    assert max(lengths, default=0) - 1e-6 <= covered <= sum(lengths) + 1e-6


@pytest.mark.parametrize(
    ("seconds", "text"), [(12.2, "12 s"), (250, "4 min 10 s"), (3900, "1 h 05 min")]
)
def test_times_for_people(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text
