"""Best score, hypervolume and the clock of a search."""

from __future__ import annotations

import datetime
import itertools

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.quality.score import log2_score
from nas.reporting.history import history_of, hypervolume
from nas.studies.record import (
    BASELINE_KEY,
    BEGUN_KEY,
    ENDED_KEY,
    OUTCOME_KEY,
    Outcome,
    Result,
    TrialRecord,
)

from ..records import make_result

POINTS = st.lists(st.tuples(st.integers(-3, 8), st.integers(-3, 8)), max_size=12)
NOON = datetime.datetime(2026, 1, 1, 12, 0)


@given(POINTS)
def test_the_hypervolume_is_the_number_of_unit_squares_that_are_dominated(
    points: list[tuple[int, int]],
) -> None:
    squares = itertools.product(range(8), range(8))
    dominated = sum(any(x > i and y > j for x, y in points) for i, j in squares)
    assert hypervolume((float(x), float(y)) for x, y in points) == dominated


def make_trial(
    result: Result, start: float, stop: float, baseline: str | None = None
) -> optuna.trial.FrozenTrial:
    """From ``start`` to ``stop``, minutes after noon."""
    attributes = {**result.to_attributes(), OUTCOME_KEY: Outcome.TRAINED}
    if baseline:
        attributes[BASELINE_KEY] = baseline
    return optuna.trial.FrozenTrial(
        number=int(start), trial_id=0, value=1.0, state=optuna.trial.TrialState.COMPLETE,
        datetime_start=NOON + datetime.timedelta(minutes=start),
        datetime_complete=NOON + datetime.timedelta(minutes=stop), params={}, distributions={},
        user_attrs=attributes, system_attrs={}, intermediate_values={},
    )  # fmt: skip


def test_pauses_do_not_count_and_two_workers_count_once() -> None:
    spans = [(0, 10), (5, 12), (600, 603)]
    trials = [make_trial(make_result(29.0, 30.0 + n), *span) for n, span in enumerate(spans)]
    moments = history_of([TrialRecord.of(trial) for trial in trials], 28.0, 0.0)
    assert [moment.seconds / 60 for moment in moments] == [10, 12, 15]


def test_moments_follow_the_order_in_which_trials_ended() -> None:
    good, bad = make_result(30.0, 20.0), make_result(29.0, 40.0)
    unit = log2_score(bad.psnr_db, bad.latency.ms)
    trials = [make_trial(bad, 0, 9), make_trial(good, 1, 5), make_trial(good, 2, 3, "ABPN")]
    moments = history_of([TrialRecord.of(trial) for trial in trials], 28.0, unit)
    assert [moment.trial for moment in moments] == [1, 0]
    assert [moment.best_ratio for moment in moments] == pytest.approx([8, 8])
    assert [moment.ratio for moment in moments] == pytest.approx([8, 1])
    # 2 dB above bicubic, and once half the time of the slowest; that adds nothing.
    assert [moment.hypervolume for moment in moments] == pytest.approx([2, 2])


@given(st.lists(st.tuples(st.floats(25, 33), st.floats(1, 100)), min_size=1, max_size=8))
def test_nothing_that_is_best_so_far_ever_falls(figures: list[tuple[float, float]]) -> None:
    trials = [make_trial(make_result(*figure), n, n + 1) for n, figure in enumerate(figures)]
    moments = history_of([TrialRecord.of(trial) for trial in trials], 28.0, 0.0)
    assert len(moments) == len(figures)
    for before, after in itertools.pairwise(moments):
        assert after.hypervolume >= before.hypervolume - 1e-9
        assert after.best_ratio >= before.best_ratio


def test_times_of_machines_in_different_zones_are_those_of_one_clock() -> None:
    """Optuna's are naive: the second worker's wall is nine hours ahead."""
    trials = []
    for number, zone in enumerate((0, 9)):
        trial = make_trial(make_result(29.0, 30.0 + number), 60 * zone, 60 * zone + 10)
        trial.number = number
        trial.set_user_attr(BEGUN_KEY, 1e9 + 300 * number)
        trial.set_user_attr(ENDED_KEY, 1e9 + 300 * number + 600)
        trials.append(trial)
    moments = history_of([TrialRecord.of(trial) for trial in trials], 28.0, 0.0)
    assert [moment.seconds for moment in moments] == [600, 900]


def test_a_trial_whose_worker_died_has_no_end() -> None:
    trial = make_trial(make_result(), 0, 600)
    trial.set_user_attr(BEGUN_KEY, 1e9)
    assert (TrialRecord.of(trial).begun, TrialRecord.of(trial).ended) == (1e9, None)
    assert history_of([TrialRecord.of(trial)], 28.0, 0.0) == ()
