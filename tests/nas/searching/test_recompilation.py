"""A study that is continued with another version of its device's compiler."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from latency_models import Latency, LatencyError, LatencyRequest, LatencySource, Worker
from latency_models.device import Device, load_device
from nas.searching.recompilation import recompile
from nas.studies.latencies import read_latencies
from nas.studies.record import TrialRecord
from nas.studies.results import write_pareto
from nas.studies.study import Study, load_study

from ..studies.finished import candidates, finished_study

DEVICE = load_device("ethos-u55-256")
FOUND = candidates(4)


class Compiler(LatencySource):
    """A version of a compiler; ``lost`` are networks of which it makes nothing."""

    def __init__(self, version: str, ms_per_gmac: float, lost: str = "") -> None:
        self.version, self.ms_per_gmac, self.lost, self.asked = version, ms_per_gmac, lost, 0

    def measure(self, request: LatencyRequest) -> Latency:
        self.asked += 1
        if request.graph_hash == self.lost:
            raise LatencyError("it crashed")
        ms = self.ms_per_gmac * sum(operator.macs for operator in request.operators) / 1e9
        return Latency(ms, ms, ms, (), (), f"vela {self.version}", (("interval", "none"),))


def install(monkeypatch: pytest.MonkeyPatch, compiler: Compiler) -> None:
    def opened(device: Device, worker: Worker) -> LatencySource:
        return compiler

    for module in ("nas.searching.recompilation", "tests.nas.studies.finished"):
        monkeypatch.setattr(f"{module}.open_source", opened)
    installed = f"vela {compiler.version}"
    monkeypatch.setattr("latency_models.sources.vela.installed_compiler", lambda: installed)


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """Of ABPN, XLSR and 4 candidates, timed by version 5.2.0."""
    monkeypatch.chdir(tmp_path)
    install(monkeypatch, Compiler("5.2.0", 10.0))
    return finished_study("s", FOUND, device=DEVICE.name)


def told(study: Study, device: Device = DEVICE) -> list[str]:
    lines: list[str] = []
    recompile(study, device, lines.append)
    return lines


def latency(record: TrialRecord) -> Latency:
    assert record.result is not None
    return record.result.latency


def test_the_same_version_says_nothing(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = Compiler("5.2.0", 10.0)
    install(monkeypatch, compiler)
    assert told(study) == []
    assert compiler.asked == 0
    assert not study.folder.latencies.exists()


def test_another_version_says_so_and_its_times_stand_apart(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = [latency(record) for record in study.records()]
    compiler = Compiler("5.2.1", 8.0)
    install(monkeypatch, compiler)
    [line] = told(study)
    assert compiler.asked == 6  # each once
    assert line.startswith("vela 5.2.1 is installed, and trials of s were timed by another version")
    assert "(6 by vela 5.2.0)" in line

    # All that is compared is of one version; what the trials keep is their own.
    for study_now in (study, load_study("s")):
        after = [latency(record) for record in study_now.records()]
        assert {found.source for found in after} == {"vela 5.2.1"}
        assert [a.ms / b.ms for a, b in zip(after, before, strict=True)] == pytest.approx([0.8] * 6)
    own = [TrialRecord.of(t) for t in study.optuna.get_trials(deepcopy=False)]
    assert [latency(record) for record in own] == before

    write_pareto(study)
    cards = [json.loads(p.read_text()) for p in study.folder.pareto.glob("rank*.json")]
    rows = json.loads((study.folder.pareto / "pareto.json").read_text())
    assert {row["latency_source"] for row in rows} == {"vela 5.2.1"}
    assert all(card["latency"]["source"] == "vela 5.2.1" for card in cards)

    assert told(study) == []


def test_back_to_the_version_of_the_trials(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    before = [latency(record) for record in study.records()]
    install(monkeypatch, Compiler("5.2.1", 8.0))
    told(study)
    install(monkeypatch, Compiler("5.2.0", 10.0))
    assert "(6 by vela 5.2.1)" in told(study)[0]
    assert [latency(record) for record in study.records()] == before
    assert len(read_latencies(study.folder.latencies).compiled) == 6


def test_a_trial_that_the_new_version_cannot_compile_keeps_its_time(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, Compiler("5.2.1", 8.0, lost=FOUND[0].deployed.hash))
    said, lost = told(study)
    assert "6 by vela 5.2.0" in said
    assert lost == "trial 2 keeps the time of vela 5.2.0: it crashed"
    sources = [latency(record).source for record in study.records()]
    assert sources.count("vela 5.2.0") == 1


def test_times_that_no_compiler_gives_are_left_alone(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = Compiler("5.2.1", 8.0)
    install(monkeypatch, compiler)
    for name in ("host", "vs680"):
        assert told(study, load_device(name)) == []
    assert compiler.asked == 0


def test_a_study_that_has_trained_nothing_asks_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    compiler = Compiler("5.2.1", 8.0)
    install(monkeypatch, compiler)
    monkeypatch.setattr("tests.nas.studies.finished.zoo.REFERENCES", ())
    assert told(finished_study("empty", [])) == []
    assert compiler.asked == 0
