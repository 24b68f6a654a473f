"""What is expected of a full training, from a short one."""

from __future__ import annotations

import math
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.quality_model.expectation import ExpectedPsnr, FullTraining, ShortTraining
from nas.quality_model.full_training_model import QualityModel, shipped_model
from nas.quality_model.training_table import FULL_STEPS, MIN_NETWORKS, TABLE_SCALE, read_table
from search_spaces import InputError

from .trainings import BICUBIC_DB, STEPS, make_table, missing_db


@pytest.fixture(scope="module")
def model() -> QualityModel:
    return QualityModel.fitted(make_table())


def short(psnr_db: float = 27.0, steps: int = STEPS[0], log2_macs: float = 14.0) -> ShortTraining:
    return ShortTraining(2.0**log2_macs, 6, 1.0, steps, psnr_db, BICUBIC_DB)


@pytest.mark.parametrize("steps", STEPS)
def test_networks_that_it_has_not_seen_are_expected_as_they_come_out(
    model: QualityModel, steps: int
) -> None:
    unseen = make_table(seed=1).pairs(steps)
    through = [pair for pair in unseen if pair.short.gain_db > 0]
    assert len(through) > 20
    errors = [model.expected(pair.short).psnr_db - pair.psnr_db for pair in through]
    assert math.sqrt(fmean(error**2 for error in errors)) < 0.04


@pytest.mark.parametrize("noise_db", [0.01, 0.05, 0.2])
def test_the_interval_holds_nine_of_ten(noise_db: float) -> None:
    held = []
    for seed in range(8):
        model = QualityModel.fitted(make_table(30, seed, noise_db))
        for pair in make_table(100, seed + 100, noise_db).pairs(STEPS[0]):
            if pair.short.gain_db > -0.9:
                expected = model.expected(pair.short)
                held.append(expected.low_db <= pair.psnr_db <= expected.high_db)
    assert 0.84 <= fmean(held) <= 0.96


@pytest.mark.parametrize("steps", STEPS)
def test_a_network_that_it_was_fitted_to_misses_what_it_missed(
    model: QualityModel, steps: int
) -> None:
    table = make_table()
    for pair in table.pairs(steps):
        expected = model.expected(pair.short)
        assert expected.psnr_db == pytest.approx(pair.psnr_db, abs=1e-9)
        assert expected.high_db - expected.low_db < 0.06
        other = QualityModel.fitted(table.without(pair.name)).expected(pair.short)
        assert other.high_db - other.low_db > expected.high_db - expected.low_db
    model_of_the_package, adapted = shipped_model(3), shipped_model(3).adapted(())
    for pair in read_table().pairs(250):
        assert model_of_the_package.expected(pair.short).psnr_db == pytest.approx(pair.psnr_db)
        other_images = adapted.expected(pair.short)  # where it may miss more, or less
        assert other_images.high_db - other_images.low_db > 0.4


def test_more_is_missing_of_a_large_network(model: QualityModel) -> None:
    small, large = (model.expected(short(log2_macs=macs)) for macs in (12.5, 15.5))
    assert large.psnr_db > small.psnr_db + 0.05


def test_between_two_lengths_it_is_between_what_they_say(model: QualityModel) -> None:
    first, between, last = (
        model.expected(short(steps=steps)).psnr_db for steps in (STEPS[0], 250, STEPS[1])
    )
    assert last < between < first
    assert between == pytest.approx((first + last) / 2, abs=1e-6)  # 250 halves them in logarithms


def test_a_full_training_is_what_it_is(model: QualityModel) -> None:
    for steps in (FULL_STEPS, 4 * FULL_STEPS):
        expected = model.expected(short(27.25, steps))
        assert expected.psnr_db == 27.25
        assert expected.high_db - expected.low_db < 0.1


def test_of_a_network_that_loses_the_image_little_is_known(model: QualityModel) -> None:
    lost, good = model.expected(short(22.0)), model.expected(short(27.0))
    assert lost.high_db - lost.low_db > 5 * (good.high_db - good.low_db)


@given(
    psnr_db=st.floats(5, 60),
    steps=st.integers(1, 10**6),
    log2_macs=st.floats(0, 25),
    bicubic_db=st.floats(15, 50),
)
def test_whatever_is_asked_is_answered(
    psnr_db: float, steps: int, log2_macs: float, bicubic_db: float
) -> None:
    training = ShortTraining(2**log2_macs, 1, 1.0, steps, psnr_db, bicubic_db)
    expected = shipped_model(3).expected(training)
    assert expected.low_db <= expected.psnr_db <= expected.high_db
    assert "dB" in expected.text


def test_other_images_are_learned_from_what_was_trained_in_full_on_them(
    model: QualityModel,
) -> None:
    law = missing_db(STEPS[0], 14.0)
    known = [FullTraining(short(psnr), psnr + law + 0.2) for psnr in (26.9, 27.0, 27.1)]
    adapted = model.adapted(known)
    before, after = model.expected(short()), adapted.expected(short())
    assert before.psnr_db == pytest.approx(27.0 + law, abs=0.05)
    assert after.psnr_db == pytest.approx(27.2 + law, abs=0.05)
    # One alone is believed less than three.
    once = model.adapted(known[:1]).expected(short())
    assert before.psnr_db < once.psnr_db < after.psnr_db
    assert once.high_db - once.low_db > after.high_db - after.low_db
    # What is said of a full training itself does not change.
    assert adapted.expected(short(27.0, FULL_STEPS)).psnr_db == 27.0


def test_other_scales_have_wider_intervals() -> None:
    here, elsewhere = (shipped_model(scale).expected(short()) for scale in (TABLE_SCALE, 2))
    assert here.psnr_db == elsewhere.psnr_db
    assert elsewhere.high_db - elsewhere.low_db > here.high_db - here.low_db


def test_an_expectation_is_within_its_interval() -> None:
    for values in ((27.0, 27.1, 27.2), (27.0, 26.0, 26.9), (math.nan, 26.0, 28.0)):
        with pytest.raises(InputError, match="expected PSNR"):
            ExpectedPsnr(*values)


def test_the_table_of_the_package_has_networks_at_every_length() -> None:
    table = read_table()
    assert 20 < table.bicubic_psnr_db < 35
    assert {125, 250, 500} <= set(table.lengths)
    for steps in table.lengths:
        assert len(table.pairs(steps)) >= MIN_NETWORKS
