from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from nas.searching.leaderboard import Leaderboard
from nas.searching.panel import View
from nas.searching.scatter import Mark, scatter
from nas.studies.budget import Budget
from nas.studies.record import Outcome

from ..records import make_record, make_result, predicted

RECORDS = [
    make_record(0, baseline="ABPN", result=make_result(29.0, 40.0)),
    make_record(1, baseline="XLSR", result=make_result(28.5, 20.0)),
    make_record(2, result=make_result(29.5, 40.0)),
    make_record(3, Outcome.FAILED),
    make_record(4, result=make_result(28.0, 10.0)),
    make_record(5, result=make_result(27.9, 15.0)),
    make_record(6, None, running=True),
]


def test_the_best_the_front_and_the_references() -> None:
    leaderboard = Leaderboard.of(RECORDS)
    assert [entry.trial for entry in leaderboard.candidates] == [2, 4, 5]
    assert [entry.trial for entry in leaderboard.front] == [4, 2]
    abpn, xlsr = leaderboard.reference("ABPN"), leaderboard.reference("XLSR")
    assert leaderboard.best is not None
    assert abpn is not None
    assert xlsr is not None
    assert leaderboard.best.trial == 2
    # Half a dB is worth twice the time.
    assert leaderboard.best.ratio_to(abpn) == pytest.approx(2)
    assert xlsr.ratio_to(abpn) == pytest.approx(1)
    assert leaderboard.reference("FSRCNN") is None
    assert Leaderboard.of([]).best is None


def test_what_is_left_of_a_budget() -> None:
    leaderboard = Leaderboard.of(RECORDS)
    # Five were trained in 100 s; three of ten count.
    assert leaderboard.seconds_left(Budget(trials=10), 100.0) == pytest.approx(7 * 20.0)
    assert leaderboard.seconds_left(Budget(trials=10, seconds=150.0), 100.0) == 50.0
    assert leaderboard.seconds_left(Budget(seconds=150.0), 200.0) == 0.0
    assert leaderboard.done(Budget(trials=10, seconds=200.0), 100.0) == 0.5
    assert leaderboard.done(Budget(trials=2), 100.0) == 1.0
    nothing = Leaderboard.of([make_record(0, None, baseline="ABPN", waiting=True)])
    assert nothing.seconds_left(Budget(trials=10), 5.0) is None
    assert nothing.references_to_come == 1
    one = Leaderboard.of([*RECORDS[:1], make_record(1, None, baseline="XLSR", running=True)])
    assert one.seconds_left(Budget(trials=1), 10.0) == pytest.approx(20.0)


POINTS = st.lists(st.tuples(st.floats(1e-3, 1e4), st.floats(10, 60)), min_size=1, max_size=30)


@given(points=POINTS, width=st.integers(20, 120), height=st.integers(3, 20))
def test_a_plot_keeps_to_its_room_and_shows_its_last_mark(
    points: list[tuple[float, float]], width: int, height: int
) -> None:
    marks = [Mark(x, y, "o", "") for x, y in points]
    last = Mark(*points[-1], "X", "bold")
    rows = scatter([*marks, last], width, height, "ms").plain.split("\n")
    assert len(rows) == height + 2
    assert max(map(len, rows)) <= width + len(" ms")
    assert sum(row.count("X") for row in rows) == 1


def test_a_plot_s_axes() -> None:
    marks = [Mark(1.0, 20.0, "a", ""), Mark(10.0, 25.0, "b", ""), Mark(100.0, 30.0, "c", "")]
    rows = scatter(marks, 51, 5, "ms").plain.split("\n")
    where = {letter: (i, row.index(letter)) for i, row in enumerate(rows) for letter in "abc"
             if letter in row}  # fmt: skip
    assert [where[letter][0] for letter in "abc"] == [4, 2, 0]
    left, middle, right = (where[letter][1] for letter in "abc")
    assert middle - left == right - middle  # a logarithmic axis
    assert rows[0].startswith("   30.00 ┤")
    assert rows[4].startswith("   20.00 ┤")
    assert rows[-1].split() == ["1", "10", "100", "ms"]


def drawn(view: View, width: int = 90, height: int = 40) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, record=True)
    console.print(view.draw(width, height))
    return console.export_text().splitlines()


def view(leaderboard: Leaderboard, **stages: str) -> View:
    return View("s on vs680", Budget(trials=10, seconds=600.0), 100.0, leaderboard, 27.25, stages)


def test_the_panel_says_what_there_is_to_say() -> None:
    rows = drawn(view(Leaderboard.of(RECORDS), w0="trial 6: latency", w1="starting"))
    assert all(len(row) == 90 for row in rows)
    text = "\n".join(rows)
    assert "3 of 10 trials, 1 min 40 s of 10 min 00 s, about 2 min 20 s left" in text
    assert "best: trial 2" in text
    best = next(row for row in rows if "best: trial 2" in row)
    assert best.split()[4:] == ["29.50", "±", "0.00", "dB", "40.00", "ms", "2.00", "2.00", "│"]
    for word in ("ABPN", "XLSR", "bicubic", "27.25 dB", "trial 6: latency", "starting", "●", "·"):
        assert word in text


def test_the_panel_says_what_of_a_lead_is_doubt() -> None:
    best = make_result(29.0, latency=predicted(10.0, 20.0, 40.0))
    doubtful = Leaderboard.of([RECORDS[0], make_record(1, result=best)])
    assert doubtful.lead is not None
    words = " ".join(" ".join(row.strip(" │") for row in drawn(view(doubtful))).split())
    assert f"lead over ABPN: {doubtful.lead.text}" in words
    assert "2.00 x at the predicted latencies, 1.85 x" in words
    assert Leaderboard.of(RECORDS[:1]).lead is None
    assert "lead over" not in "\n".join(drawn(view(Leaderboard.of(RECORDS))))


def test_the_panel_before_anything_is_known_and_in_a_low_terminal() -> None:
    empty = "\n".join(drawn(view(Leaderboard.of([]))))
    assert "best so far" in empty
    assert "┤" not in empty
    low = drawn(view(Leaderboard.of(RECORDS), now="trial 6: latency"), height=20)
    assert len(low) <= 20
    assert "┤" not in "\n".join(low)


@pytest.mark.parametrize("width", [40, 60, 200])
def test_the_panel_breaks_in_no_terminal(width: int) -> None:
    rows = drawn(view(Leaderboard.of(RECORDS), now="trial 6: " + 50 * "latency "), width)
    assert all(len(row) == width for row in rows)
