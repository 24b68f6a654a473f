"""Runs a search: starts worker processes that share the cores, and shows their progress.

A search from Python uses a single worker by default, which is the calling process itself, so that
its objects need not be passed to another process.
"""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import optuna

from latency_models import Worker
from latency_models.worker import import_for_workers
from search_spaces import NasError

from ..data.named_sets import VALIDATION
from ..evaluation.evaluator import IMPORTS_OF_WORKERS
from ..quality.metrics import convention
from ..quality.notes import notes
from ..studies.artifacts import ArtifactPlace
from ..studies.budget import Budget
from ..studies.config import write_config
from ..studies.options import SearchOptions
from ..studies.place import require_shareable
from ..studies.results import ParetoPoint, nothing_found, write_pareto
from ..studies.study import Study, join_study
from ..system.cores import Cores, usual_workers
from ..system.passwords import holds_password
from ..system.signals import terminable
from ..training.gpus import describe_gpus
from .display import Display, Lines, Reporter
from .objects import NO_OBJECTS, SearchObjects
from .recompilation import recompile
from .remeasurement import remeasure_best, require_known
from .smallest import smallest_macs
from .stopping import Run, SearchState
from .study_setup import prepare_study
from .worker_loop import Resources, work
from .worker_processes import is_supervised, report_to_supervisor, run_worker_processes

CONFIG_FILE = "search.toml"
_INTERRUPTED = "interrupted; the same command goes on from here"


@dataclass(frozen=True)
class SearchOutcome:
    """The study after a run, its Pareto front with the best score first, and why the run ended."""

    study: Study
    findings: tuple[ParetoPoint, ...]
    reason: str
    interrupted: bool

    @property
    def folder(self) -> Path:
        """The study's folder: its database, its models, and ``pareto`` with the front."""
        return self.study.folder.path

    @property
    def best(self) -> ParetoPoint:
        """The network with the best score; NasError if nothing was found."""
        if not self.findings:
            raise NasError(nothing_found(self.study))
        return self.findings[0]


def run_search(
    options: SearchOptions,
    objects: SearchObjects = NO_OBJECTS,
    *,
    in_this_process: bool = False,
    catch_interrupt: bool = False,
) -> SearchOutcome:
    """Finds or creates the study, works on it until its budget is used up, and writes the front.

    The budget is the study's total: a run of a finished study trains nothing more. By default there
    are as many workers as ``usual_workers`` says; with ``in_this_process`` there is a single one,
    which is this process. KeyboardInterrupt leaves the study consistent; it is raised again, or
    with ``catch_interrupt`` reported by the outcome.
    """
    budget = Budget.parse(options.budget or "")
    workers = options.workers or (1 if in_this_process else usual_workers())
    options = replace(options, workers=workers)
    objects.require_passable(workers)
    require_known(options.confirm)
    if options.storage is not None:
        require_shareable(options.storage)
    artifacts = None if options.artifacts is None else ArtifactPlace.parse(options.artifacts)
    if artifacts is not None:
        artifacts.open().require_writable()
    shares = Cores.available().divided(workers)
    # Must precede the first worker, which ``_prepare`` starts.
    works_here = in_this_process and workers == 1
    if works_here:
        import_for_workers(IMPORTS_OF_WORKERS)
    # The proxy training is timed on the cores that each worker will have.
    with _quiet_optuna(), shares[0].applied():
        study, resources = _prepare(options, objects)
    device, introduction = resources.device, _introduction(study, resources)
    conditions = _StopConditions(
        study, budget, smallest_macs(resources.space, study.settings, budget)
    )
    # Only a process that trains keeps the images in memory.
    own_resources = resources if works_here else None
    del resources
    study.set_budget(budget)
    if artifacts is not None:
        study.set_artifacts(artifacts)
    _write_config(study, options)
    with _quiet_optuna(), _open_display(study, budget) as display:
        display.line(introduction)
        try:
            recompile(study, device, display.line)
            if own_resources is not None:
                reason = _work_in_this_process(conditions, own_resources, objects, display)
            else:
                reason = _supervise(conditions, shares, options.storage, display)
            remeasure_best(study, device, options.confirm, display.line)
            interrupted = False
        except KeyboardInterrupt:
            _requeue_interrupted(study)
            reason, interrupted = _INTERRUPTED, True
    outcome = SearchOutcome(study, write_pareto(study), reason, interrupted)
    if interrupted and not catch_interrupt:
        raise KeyboardInterrupt
    return outcome


def run_worker(
    name: str, storage_url: str | None, cores: str | None, since: int | None = None
) -> bool:
    """Works on an existing study as ``nas worker``; returns whether it was interrupted.

    ``since`` is the number of the first trial of the run that the worker belongs to; without it, a
    new run begins.
    """
    import_for_workers(IMPORTS_OF_WORKERS)
    if cores is not None:
        Cores.parse(cores).apply()
    label = f"worker {cores or os.getpid()}"
    display = report_to_supervisor() if is_supervised() else Lines(label)
    study = join_study(name, storage_url)
    NO_OBJECTS.require_complete_for(study)
    study.folder.create()
    budget = study.budget()
    with terminable(), Worker() as worker, display:
        try:
            resources = Resources.of(study.settings)
            run = Run.beginning(study.records()) if since is None else Run(since)
            if not is_supervised():
                recompile(study, resources.device, display.line)
            display.line(describe_gpus(worker))
            reason = work(study, budget, run, resources, worker, Reporter(study, display, label))
        except KeyboardInterrupt:
            _requeue_interrupted(study)
            display.line(_INTERRUPTED)
            return True
        display.line(reason)
    return False


def _prepare(options: SearchOptions, objects: SearchObjects) -> tuple[Study, Resources]:
    with Worker() as worker:
        return prepare_study(options.study, options, options.storage, worker, objects)


@dataclass(frozen=True)
class _StopConditions:
    """Decides whether a run of a study should begin or is over."""

    study: Study
    budget: Budget
    smallest_macs: int

    def begin(self) -> tuple[Run, str | None]:
        """Returns a new run, and the reason if it is over already, else None."""
        _requeue_interrupted(self.study)
        run = Run.beginning(self.study.records())
        state = self._state(run)
        return run, None if state.awaits_baseline() else state.reason_to_stop()

    def reason(self, run: Run) -> str | None:
        """Returns why ``run`` is over; None if there is still something to train."""
        return self._state(run).reason_to_stop()

    def _state(self, run: Run) -> SearchState:
        study = self.study
        return SearchState(
            self.budget, study.records(), run, study.elapsed_seconds(), self.smallest_macs
        )


def _work_in_this_process(
    conditions: _StopConditions, resources: Resources, objects: SearchObjects, display: Display
) -> str:
    """Works on the study as its only worker; returns why it ended."""
    study, budget = conditions.study, conditions.budget
    run, reason = conditions.begin()
    if reason is not None:
        return reason
    reporter = Reporter(study, display, callbacks=objects.callbacks)
    with Worker() as worker:
        display.line(describe_gpus(worker))
        return work(study, budget, run, resources, worker, reporter)


@contextlib.contextmanager
def _quiet_optuna() -> Iterator[None]:
    """Silences Optuna's messages about trials, which the display shows, and its warnings."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)


def _requeue_interrupted(study: Study) -> None:
    """Queues interrupted trials again, at whatever point they were interrupted."""
    with study.beginning():
        study.recover()


def _write_config(study: Study, options: SearchOptions) -> None:
    """Writes a file that repeats this search; a storage URL with a password is left out."""
    secret = options.storage is not None and holds_password(options.storage)
    remarks = ["add --storage to the command: it holds a password"] if secret else []
    if study.settings.objects:
        values = [f"{name} {getattr(study.settings, name)}" for name in study.settings.objects]
        remarks.append(f"only for nas.search, called with {' and '.join(values)}")
    repeating = replace(
        SearchOptions.repeating(study),
        workers=options.workers,
        storage=None if secret else options.storage,
        artifacts=options.artifacts,
        confirm=options.confirm,
    )
    write_config(study.folder.path / CONFIG_FILE, repeating, "; ".join(remarks))


def _open_display(study: Study, budget: Budget) -> Display:
    """Returns a panel in a terminal that can redraw it, plain lines elsewhere."""
    if not sys.stderr.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        return Lines()
    from .panel import LivePanel

    return LivePanel(study, budget)


def _supervise(
    conditions: _StopConditions, shares: list[Cores], storage_url: str | None, display: Display
) -> str:
    """Runs one ``nas worker`` for each share of the cores; returns why the run ended.

    The workers end when this process does.
    """
    run, reason = conditions.begin()
    if reason is not None:
        return reason
    command = [sys.executable, "-m", "nas", "worker", "--study", conditions.study.folder.word]
    command += ["--storage", storage_url] if storage_url else []
    command += ["--since", str(run.first)]
    codes = run_worker_processes(command, shares, display)
    reason = conditions.reason(run)
    if reason is None and any(codes):
        raise NasError(
            f"the workers ended early, with exit codes {codes}; see their messages above"
        )
    # The workers' reason no longer holds if another machine has trained a network since.
    return reason or "this machine's workers are done; others go on"


def _introduction(study: Study, resources: Resources) -> str:
    """Returns lines about the study's settings and data, shown before the search begins."""
    settings, recipe = study.settings, study.settings.recipe
    lines = [
        f"study {study.name}: space {settings.space}, device {settings.device}, "
        f"x{settings.scale}, {settings.input}, data {settings.data} "
        f"({len(resources.data.training.pairs)} to train, "
        f"{len(resources.data.validation.pairs)} to validate)",
        f"each candidate: {recipe.steps} steps of {recipe.batch} x {recipe.patch}x{recipe.patch}, "
        f"{recipe.precision}, {recipe.quantization}; "
        f"bicubic {settings.references.bicubic_psnr_db:.2f} dB ({convention(settings.scale)})",
    ]
    for start in study.warm_starts():
        is_comparable = start.is_comparable(settings)
        lines.append(
            f"learns from study {start.study}: {len(start.networks)} trained networks, "
            f"{'on the same images' if is_comparable else 'on other images or by another recipe'}"
        )
    data = resources.data
    lines += notes({"training": data.training, VALIDATION: data.validation})
    return "\n".join(lines)
