"""Measures the CPU time of each part of a worker's trials in a study with finished trials."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import optuna
from optuna.samplers import TPESampler

import nas.sampling.pool
import nas.sampling.surrogate
import nas.searching.trial
from latency_models.device import load_device
from nas.choices import SamplerKind
from nas.sampling.latency_estimate import LatencyEstimator
from nas.sampling.options import ImprovementModel
from nas.sampling.problem import NetworkMemory
from nas.searching.display import Reporter
from nas.searching.stopping import Run, SearchState
from nas.searching.worker_loop import Resources, TimeSpent, run_trials, worker_sampler
from nas.studies.budget import Budget
from nas.studies.expectations import Expectations
from nas.studies.gathering import GatheringStorage
from nas.studies.record import TrialRecord
from nas.studies.study import Study, join_study
from search_spaces.spaces.loading import load_space
from search_spaces.spaces.space import Space

from ..scaling.sleeper import Silence
from .stand_ins import NAME, InstantEvaluator, source_of
from .stopwatch import Stopwatch, Watched

#: Name of the part that runs while a network trains.
POOL = "options"
#: Name of the part that replaces a training.
STAND_IN = "training"
#: Number of trials that are not counted: they include imports and other one-time work.
WARM_UP = 3

_STORAGE = (
    "create_new_trial", "set_trial_param", "set_trial_state_values", "set_trial_user_attr",
    "set_trial_system_attr", "set_study_user_attr", "get_all_trials", "get_trial",
    "get_study_user_attrs", "get_study_system_attrs", "get_trial_id_from_study_id_trial_number",
    "write_gathered",
)  # fmt: skip
WATCHED = (
    Watched(POOL, nas.sampling.surrogate, "make_pool"),
    Watched("drawing", nas.sampling.pool, "draw"),
    Watched("features", nas.sampling.pool, "features_of"),
    Watched("features", nas.sampling.pool, "infer"),
    Watched("latency of options", LatencyEstimator, "with_timed"),
    Watched("latency of options", LatencyEstimator, "estimates"),
    Watched("rest of a full training", Expectations, "missing_db"),
    Watched("Gaussian process", ImprovementModel, "improvement"),
    Watched("known networks", NetworkMemory, "knowledge"),
    Watched("records", Study, "records_of"),
    Watched("budget", SearchState, "refusal"),
    Watched("budget", SearchState, "reason_to_stop"),
    Watched("sampler of Optuna", TPESampler, "infer_relative_search_space"),
    Watched("sampler of Optuna", TPESampler, "sample_relative"),
    Watched("sampler of Optuna", TPESampler, "sample_independent"),
    Watched("drawing", Space, "draw"),
    Watched("duplicates", nas.searching.trial, "duplicate"),
    Watched(STAND_IN, InstantEvaluator, "evaluate"),
    Watched("latency", InstantEvaluator, "fresh_latency"),
    Watched("files", nas.searching.trial, "write_arrays"),
    Watched("files", nas.searching.trial, "write_whole"),
    *(Watched("database", GatheringStorage, name) for name in _STORAGE),
)


@dataclass(frozen=True)
class CpuSeconds:
    """CPU seconds of a process so far: in total, and by part."""

    total: float
    parts: dict[str, float]


class _CpuTimeRecorder(Reporter):
    """Records the CPU seconds spent by the end of each trial."""

    def __init__(self, study: Study, stopwatch: Stopwatch) -> None:
        super().__init__(study, Silence())
        self._stopwatch = stopwatch
        self.spent: list[CpuSeconds] = []

    def ended(self, record: TrialRecord, records: Sequence[TrialRecord]) -> None:
        super().ended(record, records)
        if record.is_trained_candidate:
            self.spent.append(CpuSeconds(time.process_time(), dict(self._stopwatch.seconds)))


def milliseconds(device: str, sampler: SamplerKind, trials: int) -> dict[str, float]:
    """Returns CPU milliseconds per trial of each part, in the study of the current folder.

    Each is the mean over ``trials`` trials. The part "rest" is all time that no part counts: that
    of Optuna, and of the threads that keep a worker's lock and time.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    logging.disable(logging.ERROR)
    warnings.simplefilter("ignore")
    study = join_study(NAME)
    study.settings = replace(study.settings, sampler=sampler)
    budget = Budget(len(study.trained()) + WARM_UP + trials)
    evaluator = replace(InstantEvaluator.sleeping(0.0), source=source_of(device))
    space = load_space(study.settings.space)
    resources = Resources.deployed(space, load_device(device), evaluator.data, None)
    run, stopwatch = Run.beginning(study.records()), Stopwatch(POOL)
    observer = _CpuTimeRecorder(study, stopwatch)
    time_spent = TimeSpent(study)
    study.optuna.sampler = worker_sampler(
        study, budget, run, resources, evaluator, observer, time_spent
    )
    with stopwatch.watching(WATCHED):
        run_trials(study, budget, run, resources.space, evaluator, observer, time_spent)
    first, last = observer.spent[WARM_UP - 1], observer.spent[-1]
    parts = {name: end - first.parts.get(name, 0.0) for name, end in last.parts.items()}
    stand_in_seconds = parts.pop(STAND_IN)
    parts["rest"] = last.total - first.total - stand_in_seconds - sum(parts.values())
    return {part: 1000 * seconds / trials for part, seconds in parts.items()}
