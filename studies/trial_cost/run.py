"""What a trial costs: share of gradient steps, speed of the training loop, memory, start-up.

    python studies/trial_cost/run.py

Searches on the embedded photographs in a temporary folder, about 10 minutes on 2 cores, and writes
``results.json`` and ``README.md`` beside this file.
"""

from __future__ import annotations

import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from latency_models import WeightGranularity, Worker
from nas.choices import Objective, SamplerKind
from nas.images.data import EMBEDDED, load_data
from nas.networks.recipe import Recipe
from nas.searching.loop import work
from nas.searching.setup import prepare_study
from nas.studies.budget import Budget
from nas.studies.record import TrialRecord
from nas.studies.settings import Wish, installed_versions
from search_spaces import zoo

if TYPE_CHECKING:
    from nas.networks.training import Progress

HERE = Path(__file__).parent
#: Trials of the default length, besides the two reference trials.
DEFAULT_TRIALS = 3
#: Trials of the shortest length, for memory: after how many it is read.
EARLY, LATE = 5, 50
BLOCKS, STEPS_PER_BLOCK = 20, 20
STARTS = 10
_QAT = 0.9


class Silent:
    """Observes a search and remembers memory after each trained trial."""

    def __init__(self) -> None:
        self.resident_mb: list[float] = []

    def stage(self, number: int, stage: str) -> None:
        pass

    def training(self, number: int, progress: Progress) -> None:
        pass

    def ended(self, record: TrialRecord) -> None:
        if record.is_finding:
            self.resident_mb.append(_resident_mb())


def _resident_mb() -> float:
    """Of this process and its workers."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    pages = sum(
        int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in ("self", *children)
    )
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _search(budget: Budget, wish: Wish) -> tuple[list[TrialRecord], Silent]:
    observer = Silent()
    with tempfile.TemporaryDirectory() as folder, Worker() as worker:
        os.chdir(folder)
        study, resources = prepare_study("cost", wish, None, worker)
        work(study, budget, resources, worker, observer)
        records = study.records()
        os.chdir(HERE)
    return records, observer


def share_of_gradient_steps() -> float:
    """Gradient seconds over all seconds of trained trials of the default length."""
    records, _ = _search(Budget(trials=DEFAULT_TRIALS), Wish())
    rows = [record.result.seconds for record in records if record.result]
    return sum(row["gradient"] for row in rows) / sum(row["total"] for row in rows)


def memory_mb() -> tuple[float, float]:
    """Resident memory after EARLY and after LATE trained trials."""
    wish = Wish(
        trial_seconds=0.1, input="90x160", baselines=False,
        objective=Objective.PARETO, sampler=SamplerKind.RANDOM,
    )  # fmt: skip
    _, observer = _search(Budget(trials=LATE), wish)
    return observer.resident_mb[EARLY - 1], observer.resident_mb[LATE - 1]


def speed_of_the_loop() -> tuple[float, float]:
    """Steps a second of the trainer's loop, and of its bare compiled step on a ready batch.

    ABPN with INT8 rounding; blocks of both in turn, medians.
    """
    import tensorflow as tf

    from nas.networks.training import Trainer

    images = load_data(EMBEDDED, 3).training
    steps = round((BLOCKS + 1) * STEPS_PER_BLOCK / _QAT)
    recipe = Recipe(steps=steps, qat_fraction=_QAT)
    clock = _Clock(STEPS_PER_BLOCK)
    trainer = Trainer(zoo.abpn(3), images, recipe, WeightGranularity.CHANNEL, 0, clock.tick)
    step = trainer.step(quantise=True)
    ready = [tf.constant(pixels) for pixels in trainer.sampler.batch_of(0, 0)]

    def block() -> float:
        started = time.perf_counter()
        for _ in range(STEPS_PER_BLOCK):
            float(step(*ready))
        return STEPS_PER_BLOCK / (time.perf_counter() - started)

    clock.between = block
    trainer.run()
    # The first block of each carries the start.
    return statistics.median(clock.loop[1:BLOCKS]), statistics.median(clock.bare[1:BLOCKS])


class _Clock:
    """Times the trainer's own steps in blocks, and runs something else between them."""

    def __init__(self, size: int) -> None:
        self._size, self._count, self._started = size, 0, time.perf_counter()
        self.between: Callable[[], float] = lambda: 0.0
        self.loop: list[float] = []
        self.bare: list[float] = []

    def tick(self, progress: Progress) -> None:
        if progress.phase != "int8":
            self._started = time.perf_counter()
            return
        self._count += 1
        if self._count % self._size == 0:
            self.loop.append(self._size / (time.perf_counter() - self._started))
            self.bare.append(self.between())
            self._started = time.perf_counter()


def start_up_seconds() -> float:
    """The shortest of several runs of ``nas --help``."""
    times = []
    for _ in range(STARTS):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "nas", "--help"], check=True, capture_output=True)
        times.append(time.perf_counter() - started)
    return min(times)


def main() -> None:
    """Measures everything and writes it down."""
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    share = share_of_gradient_steps()
    loop, bare = speed_of_the_loop()
    print(f"share {share:.3f}, steps a second {loop:.1f} and {bare:.1f}", flush=True)
    early, late = memory_mb()
    results = {
        "gradient_share_of_a_default_trial": share,
        "loop_steps_per_s": loop,
        "bare_steps_per_s": bare,
        "loop_to_bare": loop / bare,
        f"resident_mb_after_{EARLY}": early,
        f"resident_mb_after_{LATE}": late,
        "memory_growth": late / early,
        "help_seconds": start_up_seconds(),
        "versions": installed_versions(),
    }
    (HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    (HERE / "README.md").write_text(_report(results))
    print((HERE / "README.md").read_text())


def _report(results: dict[str, object]) -> str:
    rows = [
        ("gradient steps, share of a default trial's time", "{:.1%}",
         "gradient_share_of_a_default_trial", "at least 75 %"),
        ("training loop to bare compiled step, steps a second", "{:.3f}", "loop_to_bare",
         "at least 0.9"),
        ("memory after 50 trials to that after 5", "{:.3f}", "memory_growth", "at most 1.1"),
        ("`nas --help`, seconds", "{:.2f}", "help_seconds", "under 0.5"),
    ]  # fmt: skip
    lines = [f"| {text} | {form.format(results[key])} | {goal} |" for text, form, key, goal in rows]
    return "\n".join(
        [
            "# What a trial costs",
            "",
            "`python studies/trial_cost/run.py` measures this again; all figures are in",
            "[results.json](results.json). The two speeds are taken in turn, block by block.",
            "",
            "| | measured | goal |",
            "|---|---|---|",
            *lines,
            "",
        ]
    )


if __name__ == "__main__":
    main()
