from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency_models import Latency, OperatorLatency
from nas.studies.latencies import Latencies, TrialLatency, read_latencies, write_latencies
from nas.studies.record import Outcome
from search_spaces import NasError

from ..records import make_record, make_result

NUMBERS = st.integers(0, 999)
MS = st.floats(0.01, 1e4)


@st.composite
def latencies_of(draw: st.DrawFn) -> Latencies:
    def rows(numbers: list[int], device: str) -> tuple[TrialLatency, ...]:
        made = []
        for number in numbers:
            low, ms, high = sorted(draw(st.tuples(MS, MS, MS)))
            operator = OperatorLatency("conv", "CONV_2D", "npu", ms)
            latency = Latency(ms, low, high, (operator,), ("conv",), "board", (("runs", "3"),))
            made.append(TrialLatency(number, device, latency))
        return tuple(made)

    numbers = draw(st.lists(NUMBERS, max_size=6, unique=True))
    cut = draw(st.integers(0, len(numbers)))
    measured, predicted = rows(numbers[:cut], "board"), rows(numbers[cut:], "model")
    compiled = rows(draw(st.lists(NUMBERS, max_size=2, unique=True)), "ethos")
    return Latencies("board", measured, frozenset(numbers[:cut]), predicted, compiled)


@given(latencies_of())
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, latencies: Latencies
) -> None:
    file = tmp_path_factory.mktemp("latencies") / "latencies.json"
    write_latencies(file, latencies)
    assert read_latencies(file) == latencies


def row(number: int, ms: float, device: str = "board") -> TrialLatency:
    return TrialLatency(number, device, Latency(ms, ms, ms, (), (), device))


def test_a_trial_is_told_by_what_is_known_best_of_it() -> None:
    known = Latencies("board").with_measured("board", row(1, 5.0))
    known = known.with_predicted((row(2, 7.0, "model"),))
    measured, predicted, other, failed = (
        known.applied_to(record)
        for record in (
            make_record(1), make_record(2), make_record(3), make_record(1, Outcome.FAILED),
        )
    )  # fmt: skip
    assert measured.result is not None
    assert (measured.result.latency.ms, measured.timed_on) == (5.0, "board")
    assert measured.result.psnr_db == make_result().psnr_db
    assert predicted.result is not None
    assert (predicted.result.latency.ms, predicted.timed_on) == (7.0, "model")
    assert other == make_record(3)
    assert failed.result is None


def test_what_is_measured_is_predicted_no_more_and_a_fit_knows_what_it_rests_on() -> None:
    known = Latencies().with_predicted((row(1, 7.0), row(2, 8.0)))
    known = known.with_measured("board", row(1, 5.0))
    assert [timed.trial for timed in known.predicted] == [2]
    assert known.fitted != known.measured_trials
    assert known.with_predicted(known.predicted).fitted == {1}


def test_nothing_is_known_without_a_file(tmp_path: Path) -> None:
    assert read_latencies(tmp_path / "none.json") == Latencies()


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", "{}", "\xff", json.dumps({"measured_on": "", "fitted": [], "predicted": [],
     "measured": [{"trial": 1, "device": "b", "latency": {"ms": -1}}]})],
)  # fmt: skip
def test_a_damaged_file_is_told_in_one_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "latencies.json"
    file.write_text(text, encoding="latin-1")
    with pytest.raises(NasError, match=r"latencies\.json: .* cannot be read") as caught:
        read_latencies(file)
    assert "\n" not in str(caught.value)
