"""Searches that are given objects: continued with the same ones, shown by commands without them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from optuna.samplers import RandomSampler, TPESampler

import nas
from latency_models.device import Device, load_device
from nas.data.images import load_data
from nas.searching.run import SearchOutcome
from nas.searching.worker_loop import STOPPED_BY_CALLBACK
from nas.studies.record import TrialRecord
from nas.studies.study import Study, load_study
from nas.system.cores import Cores
from search_spaces import Graph, GraphBuilder, InputError, NasError
from search_spaces.spaces.asking import Trial

from ..commands import QUICK, SMALL_PHOTOS, SMALL_SPACE, execute, run, run_json

WORD = f"python:{__name__}.small"


def small(trial: Trial, scale: int = 3) -> Graph:
    net = GraphBuilder()
    features = net.conv(net.input, trial.suggest_int("width", 8, 24), relu=True)
    return net.image(net.conv(features, 3 * scale**2), scale)


def same(trial: Trial, scale: int = 3) -> Graph:
    return small(trial, scale)


def smaller(trial: Trial, scale: int = 3) -> Graph:
    net = GraphBuilder()
    features = net.conv(net.input, trial.suggest_int("width", 8, 16), relu=True)
    return net.image(net.conv(features, 3 * scale**2), scale)


def other_device() -> Device:
    return load_device("vs680").model_copy(update={"title": "another", "name": "mine"})


def photographs(seed: int) -> nas.Images:
    return nas.Images(
        list(np.random.default_rng(seed).integers(0, 256, (4, 102, 102, 3), np.uint8))
    )


class Told:
    """A callback that writes down what it is told, and then stops the search, if it is to."""

    def __init__(self, *, stops: bool = False) -> None:
        self.numbers: list[int] = []
        self._stops = stops

    def __call__(self, study: Study, record: TrialRecord) -> None:
        self.numbers.append(record.number)
        assert study.records()[record.number].outcome == record.outcome
        if self._stops:
            study.stop()


def search(budget: str = "1", **given: Any) -> SearchOutcome:
    quick: dict[str, Any] = {"steps": 50, "precision": "float32", "input": "40x40"}
    return nas.search(budget, baselines=False, **quick, **given)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a study of a function, a device, photographs and a sampler was made, in ``runs``."""
    folder = tmp_path_factory.mktemp("objects")
    outcome = search(
        space=small, device=other_device(), data=photographs(0), sampler=RandomSampler(seed=0),
        folder=folder / "runs" / "first",
    )  # fmt: skip
    assert outcome.folder == folder / "runs" / "first"
    assert outcome.best.path.is_file()
    return folder


def test_the_study_says_what_it_was_made_of(folder: Path) -> None:
    study = nas.load_study(folder / "runs/first")
    settings = study.settings
    assert (settings.space, settings.device) == (WORD, "python:mine")
    assert settings.sampler == "python:RandomSampler"
    assert settings.data == str((folder / "runs/first/images").resolve())
    text = (study.folder.path / "search.toml").read_text()
    assert f"only for nas.search, called with space {WORD}" in text


def test_the_same_objects_go_on_with_it(folder: Path) -> None:
    given: dict[str, Any] = {
        "device": other_device(), "data": photographs(0), "sampler": RandomSampler(seed=1),
        "folder": folder / "runs/first",
    }  # fmt: skip
    told = Told(stops=True)
    outcome = search("9", space=same, callbacks=[told], **given)
    assert outcome.reason == STOPPED_BY_CALLBACK
    assert told.numbers == [1]
    assert len(outcome.study.records()) == 2
    assert not search("1", space=small, **given).interrupted  # nothing to do
    for changed, what in (
        ({"space": smaller}, "space .* has changed"),
        ({"device": load_device("ethos-u55-256")}, "was made with device python:mine"),
        ({"device": other_device().model_copy(update={"stack": "2"})}, "device .* has changed"),
        ({"data": photographs(1)}, "data .* has changed"),
        ({"sampler": TPESampler()}, "with sampler python:RandomSampler, not python:TPESampler"),
        ({"sampler": "tpe"}, "was made with sampler python:RandomSampler"),
        ({"space": None}, "was made from Python with space"),
        ({"device": None}, "was made from Python with device python:mine"),
    ):
        with pytest.raises(InputError, match=what):
            search("3", **({"space": small, **given} | changed))


def test_its_images_are_found_without_them(folder: Path) -> None:
    outcome = search(
        "1", space=small, device=other_device(), sampler=RandomSampler(),
        folder=folder / "runs/first",
    )  # fmt: skip
    assert outcome.findings


def test_commands_show_it_without_the_objects(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    name = "runs/first"
    assert run_json(folder, "status", name)["trials"]
    front = run_json(folder, "pareto", name)
    assert [row["trial"] for row in front] == [f.trial for f in nas.findings(nas.load_study(name))]
    report = run_json(folder, "report", name)
    assert report["no_pictures"] is None
    assert Path(report["file"]) == nas.report(folder / name).path.relative_to(folder)
    exported = run(folder, "export", f"{name}#{front[0]['trial']}", "--to", "export")
    assert "model.tflite" in exported
    latency = run_json(
        folder, "latency", "predict", f"{name}#{front[0]['trial']}", "--device", "vs680"
    )
    assert latency["ms"] > 0


@pytest.mark.parametrize("words", [("search", "--budget", "9"), ("worker",)])
def test_commands_that_need_the_objects_say_so(folder: Path, words: tuple[str, ...]) -> None:
    answer = execute(folder, *words, "--study", "runs/first")
    assert answer.code == 2
    assert answer.errors.count("\n") == 1
    assert f"was made from Python with space {WORD}" in answer.errors
    assert "nas.search(" in answer.errors


def test_what_other_processes_cannot_have_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for given in (
        {"space": small},
        {"device": other_device()},
        {"sampler": RandomSampler()},
        {"callbacks": [Told()]},
    ):
        with pytest.raises(InputError, match=rf"{next(iter(given))}: .* workers=1"):
            search(workers=2, **given)
    with pytest.raises(InputError, match="a folder's name is its study's"):
        search(study="a", folder="b")
    with pytest.raises(InputError, match="space 7: give a name"):
        search(space=7)
    with pytest.raises(InputError, match="device 7: give a name"):
        search(device=7)
    assert not list(tmp_path.iterdir())


def test_other_processes_find_the_folder_and_its_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[Sequence[str]] = []

    def note(command: Sequence[str], *_: object) -> list[int]:
        begun.append(command)
        return [0, 0]

    monkeypatch.setattr("nas.searching.run.run_worker_processes", note)
    monkeypatch.setattr(Cores, "available", lambda: Cores((0, 1)))
    monkeypatch.setattr(Cores, "apply", lambda _: None)
    outcome = search("9", workers=2, space=SMALL_SPACE, data=photographs(0), folder=tmp_path / "w")
    assert begun[0][begun[0].index("--study") + 1] == str(tmp_path / "w")
    study = load_study(str(tmp_path / "w"))
    assert load_data(study.settings.data, 3).fingerprint == study.settings.data_fingerprint
    with pytest.raises(NasError, match="no trained trial yet"):
        outcome.best  # noqa: B018


def interrupt(study: Study, record: TrialRecord) -> None:
    raise KeyboardInterrupt


def test_an_interruption_is_raised_or_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    given: dict[str, Any] = {
        "study": "s", "space": SMALL_SPACE, "data": SMALL_PHOTOS, "device": load_device("vs680"),
        "callbacks": [interrupt],
    }  # fmt: skip
    with pytest.raises(KeyboardInterrupt):
        search("9", **given)
    study = nas.load_study("s")
    [found] = nas.findings(study)
    assert (study.folder.pareto / found.file).read_bytes() == found.path.read_bytes()
    assert search("9", catch_interrupt=True, **given).interrupted
    # All but the callbacks had names: any command goes on with it.
    assert study.settings.objects == ()
    words = ("search", "--study", "s", "--budget", "1", "--space", str(SMALL_SPACE), *QUICK[:4])
    assert not execute(tmp_path, *words).code
