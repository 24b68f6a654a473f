"""What is expected of networks that were not trained, and how a study corrects it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from nas.quality_model.features import NAMES, features_of, matrix_of
from nas.quality_model.networks import (
    KernelValues,
    NetworkTable,
    read_networks,
    shipped_networks,
    write_networks,
)
from nas.quality_model.prediction import predict_quality
from nas.quality_model.short_training_model import (
    GainPrior,
    OtherTrainings,
    StudyGains,
    StudyMemory,
)
from search_spaces import Candidate, zoo

KERNEL = KernelValues(0.5, 0.05, dict.fromkeys(NAMES, 5.0), 1.0)
RNG = np.random.default_rng(1)
FEATURES = RNG.normal(size=(60, len(NAMES)))


def truth(
    features: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.asarray(0.5 + 0.3 * np.tanh(features[:, 1]) + 0.1 * features[:, 2])


PRIOR = GainPrior.fitted(FEATURES, truth(FEATURES), KERNEL)
NONE = np.zeros((0, len(NAMES)))


def test_what_is_like_the_table_is_known_and_what_is_not_is_doubted() -> None:
    near, far = FEATURES[:5] + 0.01, FEATURES[:5] + 30
    assert PRIOR.gains(near).mean_db == pytest.approx(truth(near), abs=0.1)
    assert (PRIOR.gains(far).deviation_db > 4 * PRIOR.gains(near).deviation_db).all()
    assert (PRIOR.familiarity(near) > 0.9).all()
    assert (PRIOR.familiarity(far) < 0.1).all()
    assert (PRIOR.distances(far) > 1).any(axis=1).all()
    assert not PRIOR.distances(FEATURES).any()


def test_a_study_on_other_images_corrects_offset_and_slope() -> None:
    images = 0.4 + 0.6 * truth(FEATURES)
    known = StudyGains(PRIOR, FEATURES[:10], images[:10], NONE).of(FEATURES[10:])
    unknown = StudyGains(PRIOR, NONE, np.zeros(0), NONE).of(FEATURES[10:])
    assert known.mean_db == pytest.approx(images[10:], abs=0.12)
    error_before = np.abs(unknown.mean_db - images[10:]).mean()
    assert np.abs(known.mean_db - images[10:]).mean() < error_before / 3
    assert (known.deviation_db < unknown.deviation_db).all()


#: Networks of a study at one moment, as indices: trained ones, and those in training.
MOMENTS = st.lists(st.integers(0, 39), unique=True, max_size=12).flatmap(
    lambda networks: st.tuples(st.just(networks), st.integers(0, len(networks)))
)


@given(moments=st.lists(MOMENTS, min_size=2, max_size=5), of_others=st.integers(0, 3))
def test_what_is_remembered_of_a_study_says_what_is_computed_anew(
    moments: list[tuple[list[int], int]], of_others: int
) -> None:
    others = OtherTrainings(
        FEATURES[40 : 40 + of_others], truth(FEATURES[40 : 40 + of_others]), np.ones(of_others, int)
    )
    prior, memory = PRIOR.beside(others), StudyMemory()
    for networks, trained in moments:
        known, pending = FEATURES[networks[:trained]] + 3, FEATURES[networks[trained:]] + 3
        gains = truth(known)
        remembered = StudyGains(prior, known, gains, pending, memory).of(FEATURES + 2.9)
        anew = StudyGains(prior, known, gains, pending).of(FEATURES + 2.9)
        assert remembered.mean_db == pytest.approx(anew.mean_db, abs=1e-6)
        assert remembered.deviation_db == pytest.approx(anew.deviation_db, abs=1e-6)


def test_a_study_s_gains_are_those_of_one_gaussian_process() -> None:
    """By the textbook, with all covariances at once; other studies and pending networks as well."""
    far = FEATURES + np.random.default_rng(2).normal(size=FEATURES.shape)
    others = OtherTrainings(far[:6], truth(far[:6]), np.array([0, 0, 1, 1, 2, 2]))
    known, pending, asked = far[6:14], far[14:17], far[17:25]
    gains = 0.2 + truth(known)
    found = StudyGains(PRIOR.beside(others), known, gains, pending).of(asked)

    rows = np.vstack([others.features, known, pending, asked])
    conditions = np.concatenate([others.conditions, np.zeros(19, np.int64)])
    scaled = (rows - PRIOR.center) / PRIOR.spread
    mean, covariance = PRIOR.process.predict(scaled, return_cov=True)
    mean = mean + PRIOR.mean_db
    alike = PRIOR.process.kernel_.k2(scaled)
    common = 0.3**2 + 0.3**2 * np.outer(mean, mean) + 0.1**2 * alike
    covariance += common * np.equal.outer(conditions, conditions) + KERNEL.noise_db**2 * np.eye(25)
    told = covariance[17:, :14] @ np.linalg.inv(covariance[:14, :14])
    surprise = np.concatenate([others.gain_db, gains]) - mean[:14]
    assert found.mean_db == pytest.approx(mean[17:] + told @ surprise, abs=1e-8)
    left = covariance[17:, :17] @ np.linalg.inv(covariance[:17, :17]) @ covariance[:17, 17:]
    deviation = np.sqrt(np.diag(covariance[17:, 17:] - left))
    assert found.deviation_db == pytest.approx(deviation, abs=1e-8)


def test_gains_of_a_scale_where_they_are_twice_as_large_are_predicted_twice_as_large() -> None:
    """And twice as uncertain: by the table alone, and corrected by a study."""
    features, log_scale = FEATURES.copy(), NAMES.index("log_scale")
    features[:, log_scale] = np.where(np.arange(60) % 2, 1.0, np.log2(3))
    twice = np.where(np.arange(60) % 2, 2.0, 1.0)
    plain = GainPrior.fitted(features, truth(features), KERNEL)
    kernel = dataclasses.replace(KERNEL, relative_gains={2: 2.0, 3: 1.0})
    relative = GainPrior.fitted(features, twice * truth(features), kernel)
    known, asked = features[1:20:2], features[1::2] + 0.5 * (np.arange(len(NAMES)) != log_scale)
    for expected, found in (
        (plain.gains(asked), relative.gains(asked)),
        (
            StudyGains(plain, known, 0.1 + truth(known), NONE).of(asked),
            StudyGains(relative, known, 2 * (0.1 + truth(known)), NONE).of(asked),
        ),
    ):
        assert found.mean_db == pytest.approx(2 * expected.mean_db)
        assert found.deviation_db == pytest.approx(2 * expected.deviation_db)


def test_a_network_in_training_is_less_in_doubt_and_no_better() -> None:
    around = FEATURES[:1] + RNG.normal(size=(5, len(NAMES))) * 3
    before = StudyGains(PRIOR, FEATURES[5:9], truth(FEATURES[5:9]), NONE).of(around)
    after = StudyGains(PRIOR, FEATURES[5:9], truth(FEATURES[5:9]), around[:1]).of(around)
    assert after.mean_db == pytest.approx(before.mean_db)
    assert after.deviation_db[0] < before.deviation_db[0]
    assert (after.deviation_db <= before.deviation_db + 1e-9).all()


def test_other_studies_tell_of_networks_that_the_table_knows_nothing_of() -> None:
    """Each on images of its own: what they have in common is the order of the networks."""
    far = FEATURES[:40] + 4 * RNG.normal(size=(40, len(NAMES)))
    images = truth(far) * 0.8 + 0.3
    others = OtherTrainings(far[:30], images[:30], np.ones(30, np.int64))
    alone, beside = (
        StudyGains(prior, NONE, np.zeros(0), NONE).of(far[30:])
        for prior in (PRIOR, PRIOR.beside(others))
    )
    true = truth(far[30:])
    assert spearmanr(beside.mean_db, true).statistic > spearmanr(alone.mean_db, true).statistic
    assert (beside.deviation_db < alone.deviation_db).all()
    # The other study's level says nothing of this one's.
    assert (beside.deviation_db > 0.25).all()


def test_trainings_under_the_same_conditions_are_as_good_as_the_study_s_own() -> None:
    known, gains, asked = FEATURES[:9], 0.5 + truth(FEATURES[:9]), FEATURES[9:20]
    own = StudyGains(PRIOR, known, gains, NONE).of(asked)
    nothing = np.zeros(0)
    same, other = (
        StudyGains(
            PRIOR.beside(OtherTrainings(known, gains, np.full(9, number))), NONE, nothing, NONE
        ).of(asked)
        for number in (0, 1)
    )
    assert same.mean_db == pytest.approx(own.mean_db)
    assert same.deviation_db == pytest.approx(own.deviation_db)
    assert (other.deviation_db > own.deviation_db + 0.1).all()


def test_the_package_s_table_is_written_and_read(tmp_path: Path) -> None:
    table = shipped_networks()
    assert len(table.networks) >= 100
    assert set(table.kernel.length_scales) == set(NAMES)
    few = NetworkTable(**{**vars(table), "networks": table.networks[:5]})
    write_networks(few, tmp_path / "a.gz")
    write_networks(few, tmp_path / "b.gz")
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()
    assert read_networks(tmp_path / "a.gz") == few


@pytest.mark.parametrize("network", zoo.ZOO, ids=lambda network: network.name)
def test_published_networks_are_predicted_above_bicubic(network: zoo.ZooNetwork) -> None:
    found = predict_quality(network.build(3))
    assert found.bicubic_psnr_db < found.short.high_db
    assert found.short.psnr_db <= found.full.psnr_db < found.bicubic_psnr_db + 3
    assert 0 <= found.familiarity <= 1


def test_deployment_changes_no_feature_of_the_trained_network() -> None:
    candidate = zoo.find("ABPN").build(3)
    bare = features_of(Candidate(candidate.graph))
    assert matrix_of([bare]).shape == (1, len(NAMES))
    assert bare == features_of(Candidate.from_json(candidate.to_json()["graph"]))
