from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from nas.searching.stopping import (
    MAX_FAILURES_IN_A_ROW,
    MAX_OVER_BUDGET_IN_A_ROW,
    MAX_SAMPLES_WITHOUT_CANDIDATE,
    Run,
    SearchState,
    TrialSeconds,
)
from nas.studies.budget import Budget
from nas.studies.record import Outcome, TrialRecord, pareto_front

from ..records import make_record, make_result

TRIALS = Budget(trials=3)
TIME = Budget(seconds=100)


FIRST_RUN = Run(0)


def state(
    budget: Budget,
    records: list[TrialRecord],
    elapsed_seconds: float = 0.0,
    *,
    run: Run = FIRST_RUN,
) -> SearchState:
    return SearchState(budget, records, run, elapsed_seconds)


def test_a_budget_of_trials_counts_trained_candidates_only() -> None:
    records = [
        make_record(0, baseline="ABPN"),
        make_record(1),
        make_record(2, Outcome.FAILED),
        make_record(3, Outcome.DUPLICATE),
        make_record(4, Outcome.INFEASIBLE),
        make_record(5),
    ]
    assert state(TRIALS, records).reason_to_stop() is None
    reason = state(TRIALS, [*records, make_record(6)]).reason_to_stop()
    assert reason == "budget reached: 3 trained trials"


def test_a_budget_of_time_ends_the_search() -> None:
    assert state(TIME, [], 99).reason_to_stop() is None
    assert state(TIME, [], 100).reason_to_stop() is not None


#: How many of an outcome in a row end a run.
LIMITS = {
    Outcome.FAILED: MAX_FAILURES_IN_A_ROW,
    Outcome.DUPLICATE: MAX_SAMPLES_WITHOUT_CANDIDATE,
    Outcome.INFEASIBLE: MAX_SAMPLES_WITHOUT_CANDIDATE,
    Outcome.PRUNED_BY_LATENCY: MAX_SAMPLES_WITHOUT_CANDIDATE,
    Outcome.OVER_BUDGET: MAX_OVER_BUDGET_IN_A_ROW,
}
EITHER = Budget(trials=999, seconds=1000)


def ended(outcomes: Sequence[Outcome | None], first: int = 0) -> list[TrialRecord]:
    """Trials with these outcomes, the first of that number; None: interrupted."""
    return [make_record(first + index, outcome) for index, outcome in enumerate(outcomes)]


@pytest.mark.parametrize("outcome", LIMITS)
def test_a_search_that_gets_nowhere_ends_and_says_why(outcome: Outcome) -> None:
    limit = LIMITS[outcome]
    outcomes = [Outcome.TRAINED, *[outcome] * (limit - 1)]
    assert state(EITHER, ended(outcomes)).reason_to_stop() is None
    outcomes.append(outcome)
    assert state(EITHER, ended(outcomes)).reason_to_stop()
    outcomes.append(Outcome.TRAINED)
    assert state(EITHER, ended(outcomes)).reason_to_stop() is None


def test_the_reason_names_what_ended_it() -> None:
    failed = state(EITHER, ended([Outcome.FAILED] * 20)).reason_to_stop()
    assert failed == "20 failures in a row, the last: because"
    mixed = [Outcome.FAILED] * 10 + [Outcome.DUPLICATE] * 190
    assert state(EITHER, ended(mixed)).reason_to_stop() == (
        "200 samples in a row gave no new candidate to train: 190 duplicate, 10 failed, "
        "the last: because"
    )
    over = state(Budget(seconds=240), ended([Outcome.OVER_BUDGET] * 5), 200).reason_to_stop()
    assert over == "5 networks in a row do not fit into the 40 s left of 4 min 00 s"


@pytest.mark.parametrize("outcome", LIMITS)
def test_what_earlier_runs_met_with_ends_no_later_one(outcome: Outcome) -> None:
    """Neither a larger budget nor the same command is refused for what has been."""
    limit = LIMITS[outcome]
    before = ended([outcome] * limit)
    assert state(EITHER, before).reason_to_stop() is not None
    run = Run.beginning(before)
    assert state(EITHER, before, run=run).reason_to_stop() is None
    now = [*before, *ended([outcome] * (limit - 1), first=limit)]
    assert state(EITHER, now, run=run).reason_to_stop() is None
    now.append(make_record(2 * limit, outcome))
    assert state(EITHER, now, run=run).reason_to_stop() is not None


INTERRUPTIONS = [
    *((Outcome.FAILED, other) for other in Outcome if other is not Outcome.FAILED),
    *((Outcome.OVER_BUDGET, other) for other in Outcome if other is not Outcome.OVER_BUDGET),
    *((Outcome.DUPLICATE, other) for other in (Outcome.TRAINED, Outcome.OVER_BUDGET)),
]


@pytest.mark.parametrize(("outcome", "other"), INTERRUPTIONS)
def test_only_what_follows_one_upon_the_other_counts(outcome: Outcome, other: Outcome) -> None:
    one_less = [outcome] * (LIMITS[outcome] - 1)
    assert state(EITHER, ended([*one_less, other, *one_less])).reason_to_stop() is None


def test_a_trial_under_way_or_interrupted_is_neither_a_failure_nor_between_failures() -> None:
    half = ended([Outcome.FAILED] * 10)
    between = [
        make_record(10, None, running=True), make_record(11, None, waiting=True),
        make_record(12, None),
    ]  # fmt: skip
    records = [*half, *between, *ended([Outcome.FAILED] * 10, first=13)]
    assert state(EITHER, records).reason_to_stop() is not None


def test_a_run_begins_behind_all_that_is_there() -> None:
    assert Run.beginning([]) == Run(0)
    queued = make_record(4, None, waiting=True)
    assert Run.beginning([*ended([Outcome.TRAINED] * 4), queued]) == Run(5)


def test_a_run_ends_when_not_even_the_smallest_networks_fit() -> None:
    done = [make_record(n, result=make_result(macs=(n + 1) * 10**9)) for n in range(4)]
    before, after = (
        SearchState(Budget(seconds=240), done, FIRST_RUN, elapsed, smallest_macs=2 * 10**9)
        for elapsed in (219, 221)
    )
    assert before.reason_to_stop() is None
    assert after.reason_to_stop() == (
        "not even the smallest networks fit into the 19 s left of 4 min 00 s"
    )
    assert replace(after, budget=Budget(trials=9)).reason_to_stop() is None
    assert replace(after, records=()).reason_to_stop() is None  # nothing tells how long it takes


def test_what_does_not_fit_is_said_against_what_is_left() -> None:
    done = [make_record(0, result=make_result(macs=2 * 10**9))]  # 20 s
    assert state(Budget(seconds=240), done, 225).refusal(1, macs=2 * 10**9) == (
        "about 20 s do not fit into the 15 s left of 4 min 00 s"
    )


def test_a_worker_waits_while_others_have_the_last_trials_in_hand() -> None:
    records = [make_record(0), make_record(1), make_record(2, None, running=True)]
    assert state(TRIALS, records).must_wait()
    assert not state(TRIALS, records[:2]).must_wait()
    in_hand_baseline = make_record(3, None, running=True, baseline="XLSR")
    assert not state(TRIALS, [*records[:2], in_hand_baseline]).must_wait()


def test_of_two_begun_at_once_the_later_gives_way() -> None:
    records = [
        make_record(0),
        make_record(1),
        make_record(2, None, running=True),
        make_record(3, None, running=True),
    ]
    assert state(TRIALS, records).refusal(2, macs=1) is None
    assert state(TRIALS, records).refusal(3, macs=1) is not None


def test_a_trial_begins_only_if_it_is_expected_to_fit() -> None:
    records = [
        make_record(0, baseline="ABPN", result=make_result(macs=2 * 10**9)),
        make_record(1, result=make_result(macs=10**9)),
    ]
    assert state(TIME, records, 70).refusal(9, macs=10**9) is None
    assert state(TIME, records, 70).refusal(9, macs=9 * 10**9) is not None


def test_expected_time_follows_the_macs_of_what_is_done() -> None:
    done = [make_record(n, result=make_result(macs=(n + 1) * 10**9)) for n in range(4)]
    assert TrialSeconds.of(done).of_macs(8 * 10**9) == pytest.approx(80)
    assert TrialSeconds.of(done[:1]).of_macs(8 * 10**9) == pytest.approx(10)
    assert TrialSeconds.of([]).of_macs(8 * 10**9) == 0


def test_reference_trials_are_queued_first_as_long_as_there_is_time() -> None:
    queued = make_record(0, None, waiting=True, baseline="ABPN")
    assert state(TIME, [queued], 10).awaits_baseline()
    assert not state(TIME, [queued], 100).awaits_baseline()
    assert not state(TIME, [make_record(0, None, waiting=True)], 10).awaits_baseline()


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
