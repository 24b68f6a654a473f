"""Crops, and what happens without images or models."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from latency_models import Worker
from nas.data.images import degrade
from nas.quality.baselines import bicubic, nearest
from nas.quality.similarity import psnr_db
from nas.reporting.content import ReportContent, collect
from nas.reporting.pictures import CROP_SIDE, compare, compare_one, largest_error_window
from nas.reporting.previews import crops_side_by_side
from nas.studies.study import Study
from search_spaces import NasError

from .synthetic import SCALE, make_study


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker() as opened:
        yield opened


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.chdir(tmp_path)
    return make_study("s", 4)


def test_the_window_is_where_bicubic_fails() -> None:
    hr = np.full((400, 600, 3), 90, np.uint8)
    hr[230:330, 420:520] = np.random.default_rng(0).integers(0, 256, (100, 100, 3), np.uint8)
    pair = degrade(hr, 2)
    window = largest_error_window(pair, bicubic(2)(pair.lr), 2)
    assert window.height == window.width == CROP_SIDE // 2
    assert window.top * 2 <= 230
    assert window.top * 2 + CROP_SIDE >= 330
    assert window.left * 2 <= 420
    assert window.left * 2 + CROP_SIDE >= 520


@pytest.mark.parametrize(("height", "width"), [(72, 400), (400, 75), (71, 70)])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_small_images_are_shown_as_far_as_they_go(height: int, width: int, scale: int) -> None:
    hr = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    pair = degrade(hr, scale)
    comparison = compare_one(pair, scale, [("model", nearest(scale))])
    assert [crop.name for crop in comparison.crops] == ["LR", "bicubic", "model", "HR"]
    for crop in comparison.crops[1:]:
        assert crop.pixels.shape == (comparison.height, comparison.width, 3)
    low, _, model, original = comparison.crops
    assert np.array_equal(nearest(scale)(low.pixels), model.pixels)
    assert model.psnr_db == psnr_db(model.pixels, original.pixels, 0)


def test_models_of_the_front_and_abpn_are_shown_on_the_study_s_images(
    study: Study, worker: Worker
) -> None:
    content = collect(study)
    comparisons = compare(content, study, worker, 1)
    assert [comparison.image for comparison in comparisons] == [
        "chelsea.png", "motorcycle_left.png", "flower.jpg",
    ]  # fmt: skip
    for comparison in comparisons:
        names = [crop.name for crop in comparison.crops]
        assert names[:3] == ["LR", "bicubic", content.front[0].name]
        assert names[-2:] == ["ABPN", "HR"]
        low, model = comparison.crops[0], comparison.crops[2]
        # The model enlarges by nearest neighbors: what is shown is what it computes.
        assert np.array_equal(nearest(SCALE)(low.pixels), model.pixels)


def without_models(content: ReportContent, study: Study) -> ReportContent:
    shutil.rmtree(study.folder.path / "models")
    return content


def with_other_data(content: ReportContent, study: Study) -> ReportContent:
    return replace(content, settings=replace(content.settings, data_fingerprint="another"))


def with_no_data(content: ReportContent, study: Study) -> ReportContent:
    return replace(content, settings=replace(content.settings, data="gone"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (without_models, "no model of the front"),
        (with_other_data, "have changed"),
        (with_no_data, "no such folder"),
    ],
)
def test_why_there_are_no_pictures(
    study: Study, worker: Worker, change: object, reason: str
) -> None:
    assert callable(change)
    with pytest.raises(NasError, match=reason):
        compare(change(collect(study), study), study, worker, 1)


def test_a_preview_shows_all_crops_in_a_row() -> None:
    hr = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    comparison = compare_one(degrade(hr, 3), 3, [("model", nearest(3))])
    picture = np.asarray(crops_side_by_side(comparison))
    assert picture.shape[1] == 4 * CROP_SIDE + 3 * 12
    assert np.array_equal(picture[:CROP_SIDE, -CROP_SIDE:], comparison.crops[-1].pixels)
