"""What a study expects of its networks, and what it learns of full trainings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nas.quality_model.expectation import ExpectedPsnr
from nas.studies.expectations import Expectations, KnownPsnr, add_known, read_known
from search_spaces import Candidate, NasError, zoo

from ..records import make_record, make_result
from .test_study import SETTINGS


def test_records_stay_as_they_are_until_something_is_known() -> None:
    records = [make_record(0, result=make_result(29.0)), make_record(1, None, running=True)]
    assert Expectations(SETTINGS, ()).applied_to(records) == records


def test_what_a_full_training_gave_moves_all_of_the_study() -> None:
    settings = SETTINGS
    results = [make_result(settings.references.bicubic_psnr_db + gain) for gain in (0.5, 0.6)]
    candidate = Candidate(zoo.abpn(3))
    records = [
        replace(make_record(number, result=result), architecture=candidate.to_json())
        for number, result in enumerate(results)
    ]
    plain = Expectations(settings, ())
    before = [plain.of(candidate.graph, result.macs, result.psnr_db, records) for result in results]
    known = KnownPsnr(records[0].candidate or "", before[0].psnr_db + 0.4)
    after = Expectations(settings, (known,)).applied_to(records)
    for record, old in zip(after, before, strict=True):
        assert record.result is not None
        assert old.psnr_db < record.result.expected.psnr_db < old.psnr_db + 0.4
    # Of another study's network nothing is learned.
    strange = Expectations(settings, (KnownPsnr("f" * 16, 35.0),)).applied_to(records)
    assert strange[0].result is not None
    assert strange[0].result.expected.psnr_db == pytest.approx(before[0].psnr_db)


def test_the_score_is_that_of_the_expected_psnr() -> None:
    record = make_record(0, result=make_result(29.0)).expecting(ExpectedPsnr(30.0, 29.9, 30.1))
    assert record.result is not None
    assert record.result.psnr_db == 29.0
    assert record.result.log2_score == make_result(30.0).log2_score
    assert make_record(1, None, running=True).expecting(ExpectedPsnr(30, 30, 30)).result is None


def test_the_last_full_training_of_a_network_counts(tmp_path: Path) -> None:
    file = tmp_path / "full_trainings.json"
    assert read_known(file) == ()
    for candidate, psnr_db in (("a", 30.0), ("b", 30.5), ("a", 30.2)):
        add_known(file, KnownPsnr(candidate, psnr_db))
    assert set(read_known(file)) == {KnownPsnr("a", 30.2), KnownPsnr("b", 30.5)}


@pytest.mark.parametrize("text", ["", "{}x", '[{"candidate": "a"}]', "[7]"])
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "full_trainings.json"
    file.write_text(text)
    with pytest.raises(NasError, match=r"full_trainings\.json"):
        read_known(file)
