"""Runs a search in this process, or as several worker processes that share its cores."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass

from latency_models import Worker
from search_spaces import NasError

from ..cores import Cores
from ..signals import terminable
from ..studies.budget import Budget
from ..studies.results import Finding, write_pareto
from ..studies.settings import Wish
from ..studies.study import Study, load_study
from .loop import Resources, work
from .pace import Pace
from .reporter import Reporter
from .setup import prepare_study

_INTERRUPTED = "interrupted; the same command goes on from here"


@dataclass(frozen=True)
class SearchOutcome:
    """How a run of a search ended."""

    study: Study
    findings: tuple[Finding, ...]
    reason: str
    interrupted: bool


def run_search(
    name: str | None, wish: Wish, budget: Budget, workers: int, storage_url: str | None
) -> SearchOutcome:
    """Finds or makes the study, works on it until ``budget`` is used up, and writes the front.

    A study's budget is its total: a run of a finished study does nothing more.
    """
    shares = Cores.available().divided(workers)
    if workers > 1:
        shares[0].apply()  # the proxy is timed on what each worker will have
    with terminable(), Worker() as worker:
        study, resources = prepare_study(name, wish, storage_url, worker)
        study.set_budget(budget)
        reporter = Reporter(study, budget)
        reporter.line(_introduction(study, resources))
        try:
            if workers == 1:
                reason = work(study, budget, resources, worker, reporter)
            else:
                worker.close()
                reason = _supervise(study, budget, shares, storage_url)
            interrupted = False
        except KeyboardInterrupt:
            _settle(study)
            reason, interrupted = _INTERRUPTED, True
    reporter.line("")
    return SearchOutcome(study, write_pareto(study), reason, interrupted)


def run_worker(name: str, storage_url: str | None, cores: str | None) -> bool:
    """Works on a study that ``nas search`` has made; True if it was interrupted."""
    if cores is not None:
        Cores.parse(cores).apply()
    if os.environ.get(_SUPERVISED):
        threading.Thread(target=_follow_supervisor, daemon=True).start()
    study = load_study(name, storage_url)
    study.folder.create()
    budget = study.budget()
    with terminable(), Worker() as worker:
        reporter = Reporter(study, budget, label=f"worker {cores or os.getpid()}")
        try:
            reason = work(study, budget, Resources.of(study.settings), worker, reporter)
        except KeyboardInterrupt:
            _settle(study)
            reporter.line(_INTERRUPTED)
            return True
    reporter.line(reason)
    return False


def _settle(study: Study) -> None:
    """Queues the trial in hand again, wherever the interruption met it."""
    with study.beginning():
        study.recover()


_SUPERVISED = "NAS_SUPERVISED"


def _supervise(study: Study, budget: Budget, shares: list[Cores], storage_url: str | None) -> str:
    """One ``nas worker`` for each share of the cores; they end when this process does."""
    command = [sys.executable, "-m", "nas", "worker", "--study", study.name]
    command += ["--storage", storage_url] if storage_url else []
    processes = [
        subprocess.Popen(
            [*command, "--cores", str(share)],
            stdin=subprocess.PIPE,
            env={**os.environ, _SUPERVISED: "1"},
        )
        for share in shares
    ]
    try:
        codes = [process.wait() for process in processes]
    except KeyboardInterrupt:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()
        raise
    reason = Pace(budget, study.records(), study.elapsed_seconds()).reason_to_end()
    if reason is None:
        raise NasError(
            f"the workers ended early, with exit codes {codes}; see their messages above"
        )
    return reason


def _follow_supervisor() -> None:
    """Standard input is a pipe from the supervisor: it ends with it, however that ends."""
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


def _introduction(study: Study, resources: Resources) -> str:
    settings, recipe = study.settings, study.settings.recipe
    skipped = resources.data.training.skipped + resources.data.validation.skipped
    lines = [
        f"study {study.name}: space {settings.space}, device {settings.device}, "
        f"x{settings.scale}, {settings.input}, data {settings.data} "
        f"({len(resources.data.training.pairs)} to train, "
        f"{len(resources.data.validation.pairs)} to validate)",
        f"each candidate: {recipe.steps} steps of {recipe.batch} x {recipe.patch}x{recipe.patch}, "
        f"{'bfloat16' if recipe.bfloat16 else 'float32'}, {recipe.quantization}; "
        f"bicubic {settings.references.bicubic_psnr_db:.2f} dB",
    ]
    lines += [f"skipped {item.name}: {item.reason}" for item in skipped]
    if skipped:
        lines.append(f"{len(skipped)} image{'s' * (len(skipped) > 1)} skipped")
    return "\n".join(lines)
