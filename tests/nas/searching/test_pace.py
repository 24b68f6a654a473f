from __future__ import annotations

import pytest

from nas.searching.pace import (
    MAX_FAILURES_IN_A_ROW,
    MAX_SAMPLES_WITHOUT_NEWS,
    MAX_UNFIT_IN_A_ROW,
    Pace,
    expected_seconds,
)
from nas.studies.budget import Budget
from nas.studies.record import Outcome, TrialRecord, pareto_front

from ..records import make_record, make_result

TRIALS = Budget(trials=3)
TIME = Budget(seconds=100)


def pace(budget: Budget, records: list[TrialRecord], elapsed_seconds: float = 0.0) -> Pace:
    return Pace(budget, records, elapsed_seconds)


def test_a_budget_of_trials_counts_trained_candidates_only() -> None:
    records = [
        make_record(0, baseline="ABPN"),
        make_record(1),
        make_record(2, Outcome.FAILED),
        make_record(3, Outcome.DUPLICATE),
        make_record(4, Outcome.INFEASIBLE),
        make_record(5),
    ]
    assert pace(TRIALS, records).reason_to_end() is None
    reason = pace(TRIALS, [*records, make_record(6)]).reason_to_end()
    assert reason == "budget reached: 3 trained trials"


def test_a_budget_of_time_ends_the_search() -> None:
    assert pace(TIME, [], 99).reason_to_end() is None
    assert pace(TIME, [], 100).reason_to_end() is not None


@pytest.mark.parametrize(
    ("outcome", "limit"),
    [
        (Outcome.FAILED, MAX_FAILURES_IN_A_ROW),
        (Outcome.DUPLICATE, MAX_SAMPLES_WITHOUT_NEWS),
        (Outcome.INFEASIBLE, MAX_SAMPLES_WITHOUT_NEWS),
        (Outcome.UNFIT, MAX_UNFIT_IN_A_ROW),
    ],
)
def test_a_search_that_gets_nowhere_ends_and_says_why(outcome: Outcome, limit: int) -> None:
    records = [make_record(0), *(make_record(n + 1, outcome) for n in range(limit - 1))]
    assert pace(Budget(trials=999), records).reason_to_end() is None
    records.append(make_record(limit, outcome))
    assert pace(Budget(trials=999), records).reason_to_end()
    records.append(make_record(limit + 1))
    assert pace(Budget(trials=999), records).reason_to_end() is None


def test_a_worker_waits_while_others_have_the_last_trials_in_hand() -> None:
    records = [make_record(0), make_record(1), make_record(2, None, running=True)]
    assert pace(TRIALS, records).must_wait()
    assert not pace(TRIALS, records[:2]).must_wait()
    in_hand_baseline = make_record(3, None, running=True, baseline="XLSR")
    assert not pace(TRIALS, [*records[:2], in_hand_baseline]).must_wait()


def test_of_two_begun_at_once_the_later_gives_way() -> None:
    records = [
        make_record(0),
        make_record(1),
        make_record(2, None, running=True),
        make_record(3, None, running=True),
    ]
    assert pace(TRIALS, records).refusal(2, macs=1) is None
    assert pace(TRIALS, records).refusal(3, macs=1) is not None


def test_a_trial_begins_only_if_it_is_expected_to_fit() -> None:
    records = [
        make_record(0, baseline="ABPN", result=make_result(macs=2 * 10**9)),
        make_record(1, result=make_result(macs=10**9)),
    ]
    assert pace(TIME, records, 70).refusal(9, macs=10**9) is None
    assert pace(TIME, records, 70).refusal(9, macs=9 * 10**9) is not None


def test_expected_time_follows_the_macs_of_what_is_done() -> None:
    done = [make_record(n, result=make_result(macs=(n + 1) * 10**9)) for n in range(4)]
    assert expected_seconds(done, 8 * 10**9) == pytest.approx(80)
    assert expected_seconds(done[:1], 8 * 10**9) == pytest.approx(10)
    assert expected_seconds([], 8 * 10**9) == 0


def test_reference_trials_are_queued_first_as_long_as_there_is_time() -> None:
    queued = make_record(0, None, waiting=True, baseline="ABPN")
    assert pace(TIME, [queued], 10).awaits_baseline()
    assert not pace(TIME, [queued], 100).awaits_baseline()
    assert not pace(TIME, [make_record(0, None, waiting=True)], 10).awaits_baseline()


def test_the_front_holds_what_nothing_beats_and_no_reference_trial() -> None:
    records = [
        make_record(0, result=make_result(31.0, 5.0), baseline="ABPN"),
        make_record(1, result=make_result(29.0, 10.0)),
        make_record(2, result=make_result(30.0, 20.0)),
        make_record(3, result=make_result(29.5, 20.0)),
        make_record(4, result=make_result(30.0, 25.0)),
        make_record(5, result=make_result(28.0, 9.0)),
        make_record(6, Outcome.FAILED),
    ]
    assert [record.number for record in pareto_front(records)] == [5, 1, 2]
