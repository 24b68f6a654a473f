"""Runs a search: worker processes that share the cores, and this one, which shows how they do."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace

from latency_models import Worker
from latency_models.device import Device
from latency_models.worker import import_for_workers
from search_spaces import NasError

from ..data.named_sets import VALIDATION
from ..evaluation.evaluator import IMPORTS_OF_WORKERS
from ..quality.metrics import convention
from ..quality.notes import notes
from ..studies.budget import Budget
from ..studies.config import write_config
from ..studies.options import SearchOptions
from ..studies.results import Finding, write_pareto
from ..studies.study import Study, join_study
from ..system.cores import Cores
from ..system.passwords import holds_password
from ..system.signals import terminable
from ..training.gpus import describe_gpus
from .display import Display, Lines, Reporter
from .recompilation import recompile
from .remeasurement import remeasure_best, require_known
from .stopping import Run, SearchState
from .study_setup import prepare_study
from .worker_loop import Resources, work
from .worker_processes import is_supervised, report_to_supervisor, run_worker_processes

CONFIG_FILE = "search.toml"
_INTERRUPTED = "interrupted; the same command goes on from here"


@dataclass(frozen=True)
class SearchOutcome:
    """How a run of a search ended."""

    study: Study
    findings: tuple[Finding, ...]
    reason: str
    interrupted: bool


def run_search(options: SearchOptions) -> SearchOutcome:
    """Finds or makes the study, works on it until its budget is used up, and writes the front.

    A study's budget is its total: a run of a finished study does nothing more.
    """
    budget = Budget.parse(options.budget or "")
    workers = options.workers or 1
    require_known(options.confirm)
    shares = Cores.available().divided(workers)
    with terminable():
        # The proxy is timed on what each worker will have.
        with shares[0].applied():
            study, device, introduction = _prepare(options)
        study.set_budget(budget)
        _write_config(study, options)
        with _open_display(study, budget) as display:
            display.line(introduction)
            try:
                recompile(study, device, display.line)
                reason = _supervise(study, budget, shares, options.storage, display)
                remeasure_best(study, device, options.confirm, display.line)
                interrupted = False
            except KeyboardInterrupt:
                _settle(study)
                reason, interrupted = _INTERRUPTED, True
    return SearchOutcome(study, write_pareto(study), reason, interrupted)


def run_worker(
    name: str, storage_url: str | None, cores: str | None, since: int | None = None
) -> bool:
    """Works on a study that ``nas search`` has made; True if it was interrupted.

    ``since`` is the first trial of the run that it belongs to; without it a run begins here.
    """
    import_for_workers(IMPORTS_OF_WORKERS)
    if cores is not None:
        Cores.parse(cores).apply()
    label = f"worker {cores or os.getpid()}"
    display = report_to_supervisor() if is_supervised() else Lines(label)
    study = join_study(name, storage_url)
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
            _settle(study)
            display.line(_INTERRUPTED)
            return True
        display.line(reason)
    return False


def _prepare(options: SearchOptions) -> tuple[Study, Device, str]:
    """The study, its device, and how it is introduced; its images are the workers' business."""
    with Worker() as worker:
        study, resources = prepare_study(options.study, options, options.storage, worker)
    return study, resources.device, _introduction(study, resources)


def _settle(study: Study) -> None:
    """Queues the trial in hand again, wherever the interruption met it."""
    with study.beginning():
        study.recover()


def _write_config(study: Study, options: SearchOptions) -> None:
    """What repeats this very search; a password is not written down."""
    secret = options.storage is not None and holds_password(options.storage)
    repeating = replace(
        SearchOptions.repeating(study),
        workers=options.workers or 1,
        storage=None if secret else options.storage,
        confirm=options.confirm,
    )
    remark = "--storage is to be said with it: it holds a password" if secret else ""
    write_config(study.folder.path / CONFIG_FILE, repeating, remark)


def _open_display(study: Study, budget: Budget) -> Display:
    """A panel in a terminal that can redraw one, plain lines elsewhere."""
    if not sys.stderr.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        return Lines()
    from .panel import LivePanel

    return LivePanel(study, budget)


def _supervise(
    study: Study, budget: Budget, shares: list[Cores], storage_url: str | None, display: Display
) -> str:
    """One ``nas worker`` for each share of the cores; they end when this process does."""
    _settle(study)
    run = Run.beginning(study.records())
    state = _state(study, budget, run)
    reason = state.reason_to_stop()
    if reason is not None and not state.awaits_baseline():
        return reason
    command = [sys.executable, "-m", "nas", "worker", "--study", study.name]
    command += ["--storage", storage_url] if storage_url else []
    command += ["--since", str(run.first)]
    codes = run_worker_processes(command, shares, display)
    reason = _state(study, budget, run).reason_to_stop()
    if reason is None and any(codes):
        raise NasError(
            f"the workers ended early, with exit codes {codes}; see their messages above"
        )
    # Another machine may have trained since what this one's workers did not get.
    return reason or "this machine's workers are done; others go on"


def _state(study: Study, budget: Budget, run: Run) -> SearchState:
    return SearchState(budget, study.records(), run, study.elapsed_seconds())


def _introduction(study: Study, resources: Resources) -> str:
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
    data = resources.data
    lines += notes({"training": data.training, VALIDATION: data.validation})
    return "\n".join(lines)
