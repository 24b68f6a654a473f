"""Measures the cost of a trial: share of gradient steps, training speed, memory, start-up time.

    python -m studies.trial_cost.run

Runs searches on the embedded photographs in a temporary folder, about 15 minutes on 2 cores, and
writes ``results.json`` and ``README.md`` beside this file.
"""

from __future__ import annotations

import contextlib
import logging
import re
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from latency_models import WeightGranularity
from nas.data.images import EMBEDDED, load_data
from nas.studies.folder import StudyFolder
from nas.studies.study import Study, find_study, load_study
from nas.system.cores import usual_workers
from nas.system.files import write_json
from nas.system.versions import installed_versions
from nas.training.job import TrainingJob
from nas.training.recipe import Recipe
from search_spaces import Candidate, InputSpec, zoo

if TYPE_CHECKING:
    from nas.training.job import Progress

HERE = Path(__file__).parent
#: Trials of the default length, besides the two reference trials. So many make the search restart
#: the process that trains once.
DEFAULT_TRIALS = 10
#: Memory is measured with trials of the shortest length, after so many of them.
EARLY, LATE = 10, 50
#: Memory is averaged over so many trials before that, since networks differ in size.
WINDOW = 10
BLOCKS, STEPS_PER_BLOCK = 20, 20
STARTS = 10
_POLL_SECONDS = 0.5


def _start_search(folder: Path, *options: str) -> subprocess.Popen[bytes]:
    """Starts a search by the command line, in a process of its own."""
    command = [sys.executable, "-m", "nas", "search", "--study", "cost", *options]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)


def share_of_gradient_steps() -> float:
    """Returns gradient seconds divided by worker seconds, from the first trial to the last."""
    with tempfile.TemporaryDirectory() as folder:
        if _start_search(Path(folder), "--budget", str(DEFAULT_TRIALS)).wait():
            raise SystemExit("the search failed")
        study = _study(Path(folder))
        trials = study.optuna.get_trials(deepcopy=False)
        begun = min(t.datetime_start for t in trials if t.datetime_start)
        ended = max(t.datetime_complete for t in trials if t.datetime_complete)
        gradient = sum(r.result.seconds["gradient"] for r in study.records() if r.result)
    return gradient / ((ended - begun).total_seconds() * usual_workers())


def memory_mb() -> tuple[float, float]:
    """Returns the memory of a search and its processes at EARLY and at LATE trained trials.

    Each is the mean over the time of the last WINDOW trials.
    """
    options = ["--steps", "50", "--input", "128x160", "--no-baselines"]
    options += ["--objective", "pareto", "--sampler", "random", "--budget", str(LATE)]
    samples_mb: dict[int, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        search = _start_search(Path(folder), *options)
        while search.poll() is None:
            time.sleep(_POLL_SECONDS)
            samples_mb.setdefault(_count_trained(Path(folder)), []).append(
                _memory_of_process_mb(search.pid)
            )
    early, late = (
        [mb for trained in range(last - WINDOW, last) for mb in samples_mb.get(trained, [])]
        for last in (EARLY, LATE)
    )
    return statistics.fmean(early), statistics.fmean(late)


def _count_trained(folder: Path) -> int:
    with contextlib.chdir(folder):
        study = find_study(StudyFolder.named("cost"), None)
    return 0 if study is None else len(study.trained())


def _study(folder: Path) -> Study:
    with contextlib.chdir(folder):
        return load_study("cost")


def _memory_of_process_mb(pid: int) -> float:
    """Returns the memory of a process and its descendants; shared pages count once."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:  # the process has just ended
        return 0.0
    (proportional_kb,) = re.findall(r"^Pss: +(\d+) kB", rollup, re.MULTILINE)
    return int(proportional_kb) / 1000 + sum(
        _memory_of_process_mb(int(child)) for child in children
    )


def speed_of_the_loop() -> tuple[float, float]:
    """Returns steps per second of the trainer's loop, and of its compiled step on a ready batch.

    Both are medians over blocks of steps of ABPN in floating point, taken in turn.
    """
    import tensorflow as tf

    from nas.training.trainer import Trainer

    images = load_data(EMBEDDED, 3).training
    recipe = Recipe(steps=(BLOCKS + 1) * STEPS_PER_BLOCK)
    clock = _Clock(STEPS_PER_BLOCK)
    tile = InputSpec(90, 160)  # not used, since nothing is validated
    job = TrainingJob(Candidate(zoo.abpn(3)), recipe, WeightGranularity.CHANNEL, 0, tile)
    trainer = Trainer(job, images, observe=clock.tick)
    step = trainer.step
    ready = [tf.constant(pixels) for pixels in trainer.sampler.batch_of(0, 0)]

    def block() -> float:
        started = time.perf_counter()
        for _ in range(STEPS_PER_BLOCK):
            float(step(*ready))
        return STEPS_PER_BLOCK / (time.perf_counter() - started)

    clock.between = block
    trainer.run()
    # The first block of each includes start-up.
    return statistics.median(clock.loop[1:BLOCKS]), statistics.median(clock.bare[1:BLOCKS])


class _Clock:
    """Times the trainer's steps in blocks, and calls ``between`` after each block."""

    def __init__(self, size: int) -> None:
        self._size, self._count, self._started = size, 0, time.perf_counter()
        self.between: Callable[[], float] = lambda: 0.0
        self.loop: list[float] = []
        self.bare: list[float] = []

    def tick(self, progress: Progress) -> None:
        self._count += 1
        if self._count % self._size == 0:
            self.loop.append(self._size / (time.perf_counter() - self._started))
            self.bare.append(self.between())
            self._started = time.perf_counter()


def start_up_seconds() -> float:
    """Returns the shortest time of several runs of ``nas --help``."""
    times = []
    for _ in range(STARTS):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "nas", "--help"], check=True, capture_output=True)
        times.append(time.perf_counter() - started)
    return min(times)


def main() -> None:
    """Measures everything, and writes the results."""
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    share = share_of_gradient_steps()
    loop, bare = speed_of_the_loop()
    print(f"share {share:.3f}, steps a second {loop:.1f} and {bare:.1f}", flush=True)
    early, late = memory_mb()
    results = {
        "workers": usual_workers(),
        "gradient_share": share,
        "loop_steps_per_s": loop,
        "bare_steps_per_s": bare,
        "loop_to_bare": loop / bare,
        f"mb_after_{EARLY}": early,
        f"mb_after_{LATE}": late,
        "memory_growth": late / early,
        "help_seconds": start_up_seconds(),
        "versions": installed_versions(),
    }
    write_json(HERE / "results.json", results)
    (HERE / "README.md").write_text(_report(results))
    print((HERE / "README.md").read_text())


def _report(results: dict[str, object]) -> str:
    rows = [
        ("share of gradient steps in the workers' time, after the start of the search", "{:.1%}",
         "gradient_share", "at least 75 %"),
        ("steps per second of the training loop / of the bare compiled step", "{:.3f}",
         "loop_to_bare", "at least 0.9"),
        (f"memory of all processes, mean over the first {WINDOW} of {LATE} trials, MB", "{:.0f}",
         f"mb_after_{EARLY}", ""),
        (f"mean memory over the last {WINDOW} trials / over the first {WINDOW}", "{:.3f}",
         "memory_growth", "at most 1.1"),
        ("duration of `nas --help`, s", "{:.2f}", "help_seconds", "under 0.5"),
    ]  # fmt: skip
    lines = [f"| {text} | {form.format(results[key])} | {goal} |" for text, form, key, goal in rows]
    return "\n".join(
        [
            "# Cost of a trial",
            "",
            "`python -m studies.trial_cost.run` repeats the measurements; all figures are in",
            "[results.json](results.json). The two speeds are measured in alternating blocks.",
            "",
            "| quantity | measured | goal |",
            "|---|---|---|",
            *lines,
            "",
        ]
    )


if __name__ == "__main__":
    main()
