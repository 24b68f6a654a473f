from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency_models import Latency, UnsupportedOperators
from latency_models.source import DoesNotFit
from nas.choices import Risk
from nas.searching.refusals import (
    MAX_GAIN_DB,
    Constraint,
    Ended,
    bottleneck,
    duplicate,
    excess_ms,
    over_budget,
    over_limit,
    psnr_needed_db,
    too_slow_to_win,
    unsupported,
)
from nas.searching.stopping import Run, SearchState
from nas.studies.budget import Budget
from nas.studies.record import Outcome, TrialRecord
from search_spaces import GraphBuilder, zoo

from ..records import make_record, make_result, predicted

MS = st.floats(0.01, 1e4)
NINE = Budget(trials=9)


@given(st.tuples(MS, MS, MS).map(sorted), MS)
def test_only_a_prediction_counts_at_its_upper_end(times: list[float], limit: float) -> None:
    low, ms, high = times
    for source in ("regression", "host", "vela 5.2.0", "csv", "adb: benchmark_model"):
        latency = Latency(ms, low, high, (), (), source)
        counted = high if source == "regression" else ms
        assert latency.is_predicted == (source == "regression")
        assert (excess_ms(latency, limit) > 0) == (counted > limit)


def test_what_would_need_more_than_the_credit_has_no_prospects() -> None:
    known = [make_result(30.0, 10.0)]
    assert psnr_needed_db([], 100.0) is None
    assert psnr_needed_db(known, 10.0 * 4 ** (MAX_GAIN_DB * 0.99)) is None
    assert psnr_needed_db(known, 10.0 * 4 ** (MAX_GAIN_DB * 1.01)) == pytest.approx(
        30.0 + MAX_GAIN_DB * 1.01
    )


def search(*records: TrialRecord, run: int = 0, budget: Budget = NINE) -> SearchState:
    return SearchState(budget, records, Run(run), 0.0)


def measured(ms: float) -> Latency:
    return Latency(ms, ms, ms, (), (), "host")


SETTLED = {Outcome.TRAINED, Outcome.INFEASIBLE, Outcome.PRUNED_BY_LATENCY}


@pytest.mark.parametrize("outcome", Outcome)
def test_a_network_is_a_duplicate_of_one_that_would_end_the_same_way(outcome: Outcome) -> None:
    """A failure counts in its own run alone: in a later one the board may be back."""
    before = make_record(2, outcome)
    assert before.candidate
    refused = duplicate(5, before.candidate, search(before, run=2))
    assert (refused is not None) == (outcome in SETTLED | {Outcome.FAILED})
    if refused is not None:
        assert refused == Ended(Outcome.DUPLICATE, "the same network as trial 2")
        assert not refused.is_pruned
    again = duplicate(5, before.candidate, search(before, run=3))
    assert (again is not None) == (outcome in SETTLED)
    assert duplicate(5, "another", search(before)) is None


def test_of_two_that_draw_the_same_at_once_the_later_gives_way() -> None:
    hand = make_record(4, None, running=True)
    assert hand.candidate
    assert duplicate(5, hand.candidate, search(hand)) is not None
    assert duplicate(3, hand.candidate, search(hand)) is None
    assert duplicate(4, hand.candidate, search(hand)) is None  # it is itself
    reference = make_record(2, baseline="ABPN")
    assert reference.candidate
    assert duplicate(5, reference.candidate, search(reference)) is None


def test_a_network_narrower_than_the_image_is_infeasible() -> None:
    net = GraphBuilder()
    narrow = net.image(net.conv(net.conv(net.input, 2), 27), 3)
    refused = bottleneck(narrow)
    assert refused is not None
    assert refused.is_pruned
    assert refused.constraints == (Constraint("image_values", 1.0),)
    assert bottleneck(zoo.abpn(3)) is None


def test_what_the_budget_leaves_no_room_for_is_forgotten_by_the_sampler() -> None:
    done = make_record(0, result=make_result(macs=2 * 10**9))  # 20 s
    refused = over_budget(1, 2 * 10**9, search(done, budget=Budget(seconds=10)))
    assert refused is not None
    assert refused.outcome is Outcome.OVER_BUDGET
    assert not refused.is_pruned
    assert over_budget(1, 2 * 10**9, search(done, budget=Budget(seconds=30))) is None


def test_what_a_device_does_not_take_is_infeasible_by_the_number_of_kinds() -> None:
    refused = unsupported(UnsupportedOperators("takes no TANH, EXP", ("TANH", "EXP")))
    assert refused.is_pruned
    assert refused.constraints == (Constraint("unsupported_operators", 2),)


def test_what_does_not_fit_is_infeasible_by_how_much_is_lacking() -> None:
    refused = unsupported(DoesNotFit("needs 3 KB, has 2", 0.5))
    assert refused.outcome is Outcome.INFEASIBLE
    assert refused.constraints == (Constraint("excess_memory", 0.5),)


@given(MS, MS)
def test_what_is_over_the_limit_is_infeasible_by_its_excess(ms: float, limit: float) -> None:
    refused = over_limit(measured(ms), limit)
    assert over_limit(measured(ms), None) is None
    if ms <= limit:
        assert refused is None
    else:
        assert refused is not None
        assert refused.is_pruned
        assert refused.constraints == (Constraint("max_latency_ms", ms - limit),)


def test_what_cannot_win_is_pruned_where_the_score_is_all() -> None:
    known, slow = [make_record(0, result=make_result(30.0, 10.0))], measured(100.0)
    refused = too_slow_to_win(slow, known, Risk.MEAN, 200.0)
    assert refused is not None
    assert refused.outcome is Outcome.PRUNED_BY_LATENCY
    assert refused.is_pruned
    assert refused.constraints == (Constraint("max_latency_ms", -100.0),)
    over = [known[0].timed(measured(10.0), "board").held_to(5.0)]  # no longer within the limit
    assert too_slow_to_win(slow, over, Risk.MEAN, None) is None


@pytest.mark.parametrize(
    ("risk", "reason"),
    [
        (Risk.POINT, None),
        (Risk.MEAN, "at 28.18 ms (15.00 predicted) it would need 30.75 dB in the end to win"),
        (Risk.UPPER, "at 90.00 ms (15.00 predicted) it would need 31.58 dB in the end to win"),
    ],
)
def test_a_prediction_wins_or_not_by_the_time_that_counts(risk: Risk, reason: str | None) -> None:
    known = [make_record(0, result=make_result(30.0, 10.0))]
    refused = too_slow_to_win(predicted(14.0, 15.0, 90.0), known, risk, None)
    assert (refused and refused.reason) == reason


def test_a_trial_without_a_value_says_why() -> None:
    for outcome, reason in ((Outcome.TRAINED, "done"), (Outcome.FAILED, "")):
        with pytest.raises(ValueError, match="a trial without a value"):
            Ended(outcome, reason)
