"""Studies of any size in a moment: real candidates of a real space, with made-up measurements."""

from __future__ import annotations

import datetime
import math
import time
from pathlib import Path

import numpy as np
import optuna

from latency_models import Latency, OperatorLatency
from nas.choices import Objective, Quantization, Risk, SamplerKind
from nas.data.images import load_data
from nas.quality_model.expectation import ExpectedPsnr
from nas.studies.budget import Budget
from nas.studies.folder import StudyFolder
from nas.studies.record import (
    ARCHITECTURE_KEY,
    BASELINE_KEY,
    CANDIDATE_KEY,
    OUTCOME_KEY,
    REASON_KEY,
    Outcome,
    Result,
)
from nas.studies.results import findings
from nas.studies.settings import References, Settings
from nas.studies.study import Study, create_study
from nas.system.versions import installed_versions
from nas.training.recipe import Recipe
from search_spaces import Candidate, Figures, InputSpec, infer, lower, zoo
from search_spaces.spaces.loading import load_space
from search_spaces.spaces.space import Space
from tests.nas.qualities import model_quality

from ..tiny_model import make_tflite

SCALE = 2
HOSTILE = "</script><script>throw new Error('let in')</script> & <b>NaN</b>"
_SPEC = InputSpec(36, 64)
_BEGUN = datetime.datetime(2026, 1, 1, 9, 0)
_SECONDS = 24


def make_study(name: str, trials: int, *, baselines: bool = True, seed: int = 0) -> Study:
    """A study of that name under the current folder.

    Every tenth trial failed, for a reason that would break a careless page; the rest were trained.
    The networks on the front and the references have a model, which enlarges by nearest neighbors.
    """
    study = create_study(StudyFolder.named(name), None, _settings(baselines))
    study.set_budget(Budget(trials=trials))
    study.note_session("worker", time.time() - trials * _SECONDS, trials * _SECONDS)
    random = np.random.default_rng(seed)
    for number in range(2 * baselines):
        _finish_reference(study, number, random)
    study.optuna.add_trials(_make_trials(2, trials, random, seed))
    for record in study.records():
        if record.baseline and record.candidate:
            _write_model(study, record.candidate)
    for finding in findings(study):
        _write_model(study, finding.candidate)
    return study


def enlarged(study: Study, trials: int) -> Study:
    """``study`` with so many trials more, in memory: Optuna's database takes 20 ms for each."""
    grown = optuna.create_study(study_name=study.name, direction="maximize")
    for key, value in study.optuna.user_attrs.items():
        grown.set_user_attr(key, value)
    existing = study.optuna.get_trials()
    grown.add_trials(existing)
    grown.add_trials(_make_trials(len(existing), trials, np.random.default_rng(1), 1))
    return Study(study.folder, grown)


def _make_trials(
    first: int, count: int, random: np.random.Generator, seed: int
) -> list[optuna.trial.FrozenTrial]:
    space = load_space("anchor")
    scratch = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed))
    return [_trial(space, scratch.ask(), first + index, random) for index in range(count)]


def _settings(baselines: bool) -> Settings:
    data = load_data("embedded", SCALE)
    return Settings(
        space="anchor", space_version=1, space_fingerprint="4e3de95bc36da924",
        device="ethos-u85-1024", device_fingerprint="db8f61cd4b878cdd", data="embedded",
        data_fingerprint=data.fingerprint, input=str(_SPEC), scale=SCALE,
        objective=Objective.SCORE, risk=Risk.MEAN, sampler=SamplerKind.TPE,
        quantize=Quantization.QAT, max_latency_ms=None, seed=0, trial_seconds=20.0,
        baselines=baselines, recipe=Recipe(500, 16, 32), references=References(28.0, 26.5),
        versions=installed_versions(),
    )  # fmt: skip


def _trial(
    space: Space, drawn: optuna.Trial, number: int, random: np.random.Generator
) -> optuna.trial.FrozenTrial:
    candidate = space.draw(drawn, SCALE)
    failed = number % 10 == 9
    result = make_result(candidate, infer(candidate.deployed, _SPEC), random)
    attributes = {
        ARCHITECTURE_KEY: candidate.to_json(),
        CANDIDATE_KEY: candidate.hash,
        OUTCOME_KEY: Outcome.FAILED if failed else Outcome.TRAINED,
        **({REASON_KEY: HOSTILE} if failed else result.to_attributes()),
    }
    # Not create_trial: it knows no times.
    started = _BEGUN + datetime.timedelta(seconds=number * _SECONDS)
    return optuna.trial.FrozenTrial(
        number=-1, trial_id=-1, value=None if failed else _value(result),
        state=optuna.trial.TrialState.FAIL if failed else optuna.trial.TrialState.COMPLETE,
        datetime_start=started, datetime_complete=started + datetime.timedelta(seconds=20),
        params=drawn.params, distributions=drawn.distributions, user_attrs=attributes,
        system_attrs={}, intermediate_values={},
    )  # fmt: skip


def _finish_reference(study: Study, number: int, random: np.random.Generator) -> None:
    trial = study.optuna.ask()
    assert trial.number == number
    candidate = zoo.find(trial.user_attrs[BASELINE_KEY]).build(SCALE)
    result = make_result(candidate, infer(candidate.deployed, _SPEC), random)
    trial.set_user_attr(ARCHITECTURE_KEY, candidate.to_json())
    trial.set_user_attr(CANDIDATE_KEY, candidate.hash)
    for key, value in result.to_attributes().items():
        trial.set_user_attr(key, value)
    trial.set_user_attr(OUTCOME_KEY, Outcome.TRAINED)
    study.optuna.tell(trial, _value(result))


def _value(result: Result) -> float:
    return result.log2_score


def make_result(candidate: Candidate, figures: Figures, random: np.random.Generator) -> Result:
    """The more work, the better and the slower; DEPTH_TO_SPACE on the CPU."""
    rows = tuple(
        OperatorLatency(
            kernel.name, kernel.kind, "cpu" if kernel.kind == "DEPTH_TO_SPACE" else "npu",
            kernel.macs / 1e7 + kernel.bytes_moved / 1e6,
        )
        for kernel in lower(candidate.deployed, _SPEC)
    )  # fmt: skip
    ms = sum(row.ms for row in rows)
    on_cpu = tuple(row.name for row in rows if row.engine == "cpu")
    psnr_db = 29.2 + 0.45 * math.log2(ms) + float(random.normal(0, 0.25))
    drop_db = abs(float(random.normal(0.03, 0.04)))
    return Result(
        quality=model_quality(psnr_db, drop_db, 0.8 + psnr_db / 1000),
        expected=ExpectedPsnr(psnr_db + 0.4, psnr_db + 0.3, psnr_db + 0.5),
        latency=Latency(ms, 0.9 * ms, 1.2 * ms, rows, on_cpu, "synthetic"),
        macs=figures.macs, parameters=figures.parameters,
        tflite_kb=figures.parameters / 1000, seed=int(random.integers(2**31)), risk=Risk.MEAN,
        seconds={"total": 20.0},
    )  # fmt: skip


def _write_model(study: Study, candidate: str) -> None:
    folder: Path = study.folder.model(candidate)
    folder.mkdir(exist_ok=True)
    (folder / "model.tflite").write_bytes(make_tflite())
