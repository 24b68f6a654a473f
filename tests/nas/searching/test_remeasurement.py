"""The best of a study measured on a board whose times are known by a rule."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from latency_models import LatencyRequest, Worker
from latency_models.device import load_device, open_source
from latency_models.sources.regression.settings import TABLE
from latency_models.sources.regression.source import read_table
from nas.quality.score import log2_score, score_ratio
from nas.reporting.content import collect
from nas.reporting.notes import note_of
from nas.reporting.page import render
from nas.searching.leaderboard import Leaderboard
from nas.searching.remeasurement import BEST_COUNT, known_device, remeasure_best, require_known
from nas.studies.latencies import read_latencies
from nas.studies.record import TrialRecord
from nas.studies.results import nothing_found, write_pareto
from nas.studies.status import summarize
from nas.studies.study import Study
from search_spaces import Candidate, InputError, zoo

from ..studies.finished import SPEC, candidates, finished_study

BOARD = """
name = "board"
title = "A board of another software"
stack = "its runtime 9"
operators = "any"
weights = "channel"
input = "90x160"

[settings]
source = "csv"
"""
FOUND = candidates(14)
DEVICE = load_device("vs680")


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """Of ABPN, XLSR and 14 candidates, with predictions for vs680."""
    monkeypatch.chdir(tmp_path)
    return finished_study("s", FOUND)


def predicted_ms(candidate: Candidate) -> float:
    with Worker() as worker:
        request = LatencyRequest.of_graph(candidate.deployed, SPEC, bytes)
        return open_source(DEVICE, worker).measure(request).ms


def true_ms(candidate: Candidate) -> float:
    """Twice as long as is predicted, give or take a tenth."""
    return round(predicted_ms(candidate) * (1.9 + 0.2 * (int(candidate.hash, 16) % 97) / 96), 3)


def write_board(folder: Path, networks: list[Candidate]) -> str:
    """A device that gives a time for ``networks`` and for no other."""
    folder.mkdir(exist_ok=True)
    lines = [f"{c.deployed.hash},{SPEC},board,{true_ms(c)}" for c in networks]
    (folder / "device.toml").write_text(BOARD)
    (folder / "times.csv").write_text("\n".join(["model,input,device,ms", *lines]))
    return str(folder)


def everything() -> list[Candidate]:
    return [*FOUND, *(network.build(3) for network in zoo.REFERENCES)]


def ms_of(record: TrialRecord) -> float:
    assert record.result is not None
    return record.result.latency.ms


def test_the_best_are_measured_and_the_others_predicted_anew(study: Study, tmp_path: Path) -> None:
    values = [trial.value for trial in study.optuna.get_trials()]
    board = write_board(tmp_path / "board", everything())
    told: list[str] = []
    remeasure_best(study, DEVICE, board, told.append)

    records = study.records()
    best = sorted((r for r in records if r.is_trained_candidate), key=ms_of)[:BEST_COUNT]
    references = [record for record in records if record.baseline]
    for record in [*best, *references]:
        assert ms_of(record) == true_ms(record.network)
        assert record.timed_on == board
        assert record.result
        assert record.result.latency.source == "csv"
    others = [record for record in records if record not in [*best, *references]]
    assert others
    for record in others:
        assert record.result
        assert record.result.latency.source == "regression"
        assert ms_of(record) == pytest.approx(true_ms(record.network), rel=0.25)
    assert [trial.value for trial in study.optuna.get_trials()] == values
    assert sum("ms on" in line for line in told) == len(best) + len(references)


def test_the_front_and_its_ratios_are_of_one_kind(study: Study, tmp_path: Path) -> None:
    board = write_board(tmp_path / "board", everything())
    before = write_pareto(study)
    remeasure_best(study, DEVICE, board, lambda line: None)
    front = write_pareto(study)
    records = {record.number: record for record in study.records()}
    abpn = next(record for record in records.values() if record.baseline == "ABPN")
    assert abpn.result
    for finding in front:
        ratio = score_ratio(
            log2_score(finding.result.psnr_db, true_ms(finding.network)),
            log2_score(abpn.result.psnr_db, true_ms(abpn.network)),
        )
        assert finding.ratio_to_abpn == pytest.approx(ratio)
    assert before[0].result.latency.source == "regression"
    rows = json.loads((study.folder.pareto / "pareto.json").read_text())
    assert [row["latency_source"] for row in rows] == ["csv"] * len(rows)
    assert [row["runtime_ms"] for row in rows] == [true_ms(f.network) for f in front]


@pytest.fixture
def capped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """All were predicted to be within its limit; half of them are not, as the board has shown."""
    monkeypatch.chdir(tmp_path)
    limit_ms = sorted(map(true_ms, FOUND))[len(FOUND) // 2]
    study = finished_study("capped", FOUND, max_latency_ms=limit_ms)
    remeasure_best(study, DEVICE, write_board(tmp_path / "board", everything()), lambda line: None)
    return study


def test_what_is_measured_over_the_limit_leaves_the_front(capped: Study) -> None:
    limit_ms = capped.settings.max_latency_ms
    assert limit_ms is not None
    over = [r for r in capped.records() if r.is_trained_candidate and not r.within_limit]
    within = [r for r in capped.records() if r.is_trained_candidate and r.within_limit]
    assert len(over) >= 3
    assert len(within) >= 3
    for record in over:
        assert record.result
        assert record.result.latency.promised_ms > limit_ms
        assert record.reason.endswith(f"ms is over the limit of {limit_ms:g} ms")
    front = write_pareto(capped)
    assert front
    assert {finding.trial for finding in front} <= {record.number for record in within}
    assert Leaderboard.of(capped.records()).best in [
        entry for entry in Leaderboard.of(capped.records()).candidates if entry.within_limit
    ]
    lines = summarize(capped).lines()
    assert sum("is over the limit" in line for line in lines) >= len(over)


def test_those_that_may_be_within_the_limit_are_measured_in_place_of_those_that_are_not(
    capped: Study, tmp_path: Path
) -> None:
    measured = read_latencies(capped.folder.latencies).measured_trials
    within = [r for r in capped.records() if r.is_trained_candidate and r.within_limit]
    assert {record.number for record in within} <= measured
    assert len(measured) > 2 + BEST_COUNT


def test_report_and_notes_name_the_device_that_measured(capped: Study, tmp_path: Path) -> None:
    content, board = collect(capped), str(tmp_path / "board")
    over = {r.number for r in capped.records() if r.is_trained_candidate and not r.within_limit}
    assert {line.number for line in content.lines if line.status == "over the limit"} == over
    assert all("over the limit" in content.lines[number].remark for number in over)
    for highlight in content.highlights:
        assert highlight.network.trial not in over
        assert highlight.network.device == board
        note = note_of(content, highlight.network)
        assert f"on {board}, {SPEC}, csv" in note
        assert "vs680" not in note
    measured = len(read_latencies(capped.folder.latencies).measured)
    assert dict(content.timed_elsewhere)[board] == measured
    assert max(m.best_ratio for m in content.history) == pytest.approx(content.front[0].ratio)
    rows = [finding.row() for finding in write_pareto(capped)]
    assert {row["device"] for row in rows} == {board}
    page = render(content, (), "none")
    assert f"Latencies of {measured} networks are those of <b>{board}</b>" in page


def test_a_study_whose_networks_are_all_too_slow_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    study = finished_study("slow", FOUND[:3], max_latency_ms=1e-3)
    assert write_pareto(study) == ()
    assert nothing_found(study) == "study slow: none of its 3 trained networks is within 0.001 ms"
    assert "No trained network is within 0.001 ms" in render(collect(study), (), "none")


def test_one_failing_measurement_ends_nothing(study: Study, tmp_path: Path) -> None:
    fastest = min(FOUND, key=predicted_ms)
    board = write_board(tmp_path / "board", [c for c in everything() if c is not fastest])
    told: list[str] = []
    remeasure_best(study, DEVICE, board, told.append)
    measured = read_latencies(study.folder.latencies).measured
    assert len(measured) >= 2 + BEST_COUNT - 1
    [record] = [r for r in study.records() if r.candidate == fastest.hash]
    assert record.result
    assert record.result.latency.source == "regression"
    assert any("stays as predicted" in line for line in told)


def test_a_device_that_has_gone_is_not_asked_for_long(study: Study, tmp_path: Path) -> None:
    board = write_board(tmp_path / "board", [])
    told: list[str] = []
    remeasure_best(study, DEVICE, board, told.append)
    assert sum("stays as predicted" in line for line in told) == 3
    assert read_latencies(study.folder.latencies).measured == ()
    assert known_device(study.folder, DEVICE) is DEVICE


def test_stopped_at_any_time_it_goes_on(study: Study, tmp_path: Path) -> None:
    board = write_board(tmp_path / "board", everything())
    for stop_after in (3, 5, 8):
        told: list[str] = []

        def tell(line: str, told: list[str] = told, last: int = stop_after) -> None:
            told.append(line)
            if len(told) == last:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            remeasure_best(study, DEVICE, board, tell)
    told = []
    remeasure_best(study, DEVICE, None, told.append)  # it knows by whom it was measured
    latencies = read_latencies(study.folder.latencies)
    trials = [row.trial for row in latencies.measured]
    assert len(trials) == len(set(trials)) >= 2 + BEST_COUNT
    assert latencies.fitted == latencies.measured_trials
    assert len(latencies.predicted) == len(FOUND) + 2 - len(trials)
    told = []
    remeasure_best(study, DEVICE, None, told.append)
    assert told == []


def test_the_refitted_device_is_one_and_is_proposed_with(study: Study, tmp_path: Path) -> None:
    board = write_board(tmp_path / "board", everything())
    remeasure_best(study, DEVICE, board, lambda line: None)
    device = known_device(study.folder, DEVICE)
    assert device.stack == "its runtime 9"
    measured = read_latencies(study.folder.latencies).measured
    rows = read_table(study.folder.refitted / TABLE)
    assert len(rows) == len(read_table(DEVICE.folder / TABLE)) + len(measured)
    fresh = [c for c in candidates(30) if c not in FOUND]
    with Worker() as worker:
        source = open_source(device, worker)
        for candidate in fresh:
            said = source.measure(LatencyRequest.of_graph(candidate.deployed, SPEC, bytes))
            assert said.low_ms < true_ms(candidate) < said.high_ms
            assert said.ms == pytest.approx(true_ms(candidate), rel=0.3)


def test_another_device_starts_anew_once_it_answers(study: Study, tmp_path: Path) -> None:
    first = write_board(tmp_path / "first", everything())
    remeasure_best(study, DEVICE, first, lambda line: None)
    before = read_latencies(study.folder.latencies)
    remeasure_best(study, DEVICE, write_board(tmp_path / "mute", []), lambda line: None)
    assert read_latencies(study.folder.latencies) == before
    second = write_board(tmp_path / "second", everything()[BEST_COUNT:])
    remeasure_best(study, DEVICE, second, lambda line: None)
    latencies = read_latencies(study.folder.latencies)
    assert latencies.measured_on == second
    assert {row.device for row in latencies.measured} == {second}


def test_without_a_truer_device_one_quiet_line_says_so(study: Study, tmp_path: Path) -> None:
    told: list[str] = []
    remeasure_best(study, DEVICE, None, told.append)
    away = DEVICE.settings.model_copy(update={"confirm": str(tmp_path / "away")})
    remeasure_best(study, DEVICE.model_copy(update={"settings": away}), None, told.append)
    remeasure_best(study, load_device("host"), None, told.append)
    assert len(told) == 2
    assert "--confirm DEVICE" in told[0]
    assert "not available" in told[1]
    assert not study.folder.latencies.exists()


def test_a_device_that_cannot_be_is_refused() -> None:
    require_known(None)
    require_known("adb:0123")
    with pytest.raises(InputError, match="'nope'"):
        require_known("nope")
