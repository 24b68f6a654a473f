"""Measures the CPU time per trial that a search spends on anything but training.

    python -m studies.search_overhead.run

This is the time for proposals, duplicates, latency and storage. Nothing is trained: a study is
filled with finished trials, and a worker continues it by the normal loop of ``nas``. Writes
``results.csv`` and ``README.md`` beside this file.
"""

from __future__ import annotations

import argparse
import csv
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields
from multiprocessing import get_context
from pathlib import Path
from typing import ParamSpec, TypeVar

from nas.choices import SamplerKind
from nas.system.files import read_rows, write_text

from .compiler import compiler_milliseconds
from .measurement import POOL, WARM_UP, milliseconds
from .stand_ins import empty_study, fill

HERE = Path(__file__).parent
RESULTS = HERE / "results.csv"
DEVICES = ("ethos-u85-1024", "vs680")
SAMPLERS = (SamplerKind.SURROGATE, SamplerKind.TPE)
FINISHED = (50, 200, 500)
P = ParamSpec("P")
T = TypeVar("T")
#: Device whose source of latencies is a compiler, which is timed by itself.
_COMPILED = "ethos-u85-1024"
COMPILER = "compiler"
#: Goal for the CPU time of a trial without its training.
GOAL_MS = 100
#: The page, before its tables.
_TEXT = """\
# CPU time of a search besides training

    python -m studies.search_overhead.run --trials {trials}

CPU milliseconds of a trial besides its training: means of {trials} trials, after {warm_up} trials
of warm-up. The study searches `mobile` for x3 at 360x640 with `--objective pareto`, in a SQLite
file that contains the given number of finished trials of random networks. One worker continues it
with the product's own loop, sampler, database, locks and files; a formula replaces the training.
Each figure was measured in a new process on one CPU, as the CPU time of all its threads; the
samplers were run alternately. A refused trial counts towards the next trained one: TPE draws
refused networks, which makes its figures larger, while the surrogate checks its options before.
Each part excludes the other parts; [results.csv](results.csv) has all figures.

The machine: one hyperthread of a core (AMD EPYC). CPU times grow if other processes share the core;
ratios between samplers and growth with the study are more reliable.

* **options**: makes the networks among which the next one is chosen, in a thread while the last one
  trains: draws them, computes features, estimates latencies with a regression and improvements with
  a Gaussian process. No trial waits for this if trainings take longer, but it takes CPU time from
  the training. About 150 networks are made for each trial, however many trials are finished. The
  remainder (options: options) is computing hashes and checking outputs for gaps.
* **waited for**: everything else. The choice (records, known networks, Gaussian process, budget;
  for TPE its own sampling), drawing and storing the parameters, the check for duplicates, the
  latency of the few networks that are considered last, the database and the files.
* **rest** is Optuna, and the threads that maintain a worker's lock and its time.

The goal is {goal_ms} ms a trial after {finished} trials. {verdict}

Latencies are those of the device's regression, or of the regression of its compiler. The tables do
not include the compiler's own time; it compiles at most eight networks a trial.
{compiler}
"""


@dataclass(frozen=True)
class Row:
    """CPU milliseconds of one part of a trial, with ``finished`` trials in the study."""

    device: str
    sampler: str
    finished: int
    part: str
    milliseconds: float


def make_studies(device: str, folder: Path) -> None:
    """Makes a folder ``folder/N`` with a study for each number N of finished trials."""
    work = folder / "work"
    work.mkdir(parents=True)
    os.chdir(work)
    study = empty_study(device)
    for count in FINISHED:
        fill(study, count)
        shutil.copytree(work, folder / str(count))


def measure_copy(folder: Path, device: str, sampler: SamplerKind, trials: int) -> dict[str, float]:
    """Returns ``milliseconds`` of a copy of the study in ``folder``."""
    with tempfile.TemporaryDirectory() as name:
        shutil.copytree(folder, name, dirs_exist_ok=True)
        os.chdir(name)
        try:
            return milliseconds(device, sampler, trials)
        finally:
            os.chdir(folder)


def rows(trials: int) -> Iterator[Row]:
    """Yields all rows, each measured in a new process, with the samplers in turn."""
    with tempfile.TemporaryDirectory() as name:
        for device in DEVICES:
            folder = Path(name) / device
            _in_new_process(make_studies, device, folder)
            for finished in FINISHED:
                for sampler in SAMPLERS:
                    found = _in_new_process(
                        measure_copy, folder / str(finished), device, sampler, trials
                    )
                    for part, ms in sorted(found.items()):
                        yield Row(device, sampler.value, finished, part, round(ms, 2))
        ms = _in_new_process(compiler_milliseconds, _COMPILED)
        yield Row(_COMPILED, "any", 0, COMPILER, round(ms, 0))


def _in_new_process(
    function: Callable[P, T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Calls ``function`` in a new process, and returns its result."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *args, **kwargs).result()


def page(known: Sequence[Row], trials: int) -> str:
    """Returns the text of README.md."""
    text = _TEXT.format(
        trials=trials,
        warm_up=WARM_UP,
        goal_ms=GOAL_MS,
        finished=FINISHED[-1],
        verdict=_verdict(known),
        compiler=_compiler(known),
    )
    lines = text.splitlines()
    for device in DEVICES:
        lines += ["", f"## {device}", "", *_table([row for row in known if row.device == device])]
    return "\n".join([*lines, ""])


def _verdict(known: Sequence[Row]) -> str:
    """Returns the times of the surrogate sampler with the most finished trials."""
    device_texts = []
    for device in DEVICES:
        rows = [
            row for row in known
            if (row.device, row.sampler, row.finished) == (device, "surrogate", FINISHED[-1])
        ]  # fmt: skip
        waited = sum(row.milliseconds for row in rows if not row.part.startswith(POOL))
        every = sum(row.milliseconds for row in rows)
        device_texts.append(
            f"on {device} a trial waits {waited:.0f} ms, {every:.0f} ms with the options"
        )
    lines = ";\n".join(device_texts)
    return f"Measured with the sampler `surrogate`:\n{lines}."


def _compiler(known: Sequence[Row]) -> str:
    (ms,) = (row.milliseconds for row in known if row.part == COMPILER)
    return (
        f"For {_COMPILED} conversion and Vela took {ms / 1000:.1f} s of CPU a network,\n"
        "in the process that trains."
    )


def _table(known: Sequence[Row]) -> list[str]:
    """Returns a table of parts by numbers of finished trials, for each sampler."""
    columns = [(sampler.value, finished) for sampler in SAMPLERS for finished in FINISHED]
    cells = {(row.part, row.sampler, row.finished): row.milliseconds for row in known}

    def total(sampler: str, finished: int, *, options: bool) -> float:
        return sum(
            ms
            for (part, *column), ms in cells.items()
            if column == [sampler, finished] and part.startswith(POOL) == options
        )

    def line(name: str, values: Sequence[float | None]) -> str:
        texts = ["" if value is None else f"{value:.0f}" for value in values]
        return f"| {name} | {' | '.join(texts)} |"

    parts = sorted({part for part, *_ in cells if part != COMPILER})
    parts.sort(key=lambda part: -cells.get((part, "surrogate", FINISHED[-1]), 0.0))
    ratio = [
        f"{total('surrogate', n, options=False) / total('tpe', n, options=False):.2f}"
        for n in FINISHED
    ]
    return [
        "| ms of CPU a trial | " + " | ".join(f"{s}, {n}" for s, n in columns) + " |",
        f"|---|{'---|' * len(columns)}",
        line("**waited for**", [total(*column, options=False) for column in columns]),
        line("**options**, while a network trains", [total(*c, options=True) for c in columns]),
        *(line(part, [cells.get((part, *column)) for column in columns]) for part in parts),
        "",
        f"Waited for, surrogate to TPE: {', '.join(ratio)} after "
        f"{', '.join(map(str, FINISHED))} trials.",
    ]


def main() -> None:
    """Measures everything, and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--page", action="store_true", help="write the page again, measure nothing")
    options = parser.parse_args()
    if not options.page:
        # On one CPU, linear algebra uses one thread.
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        with RESULTS.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(
                file, [field.name for field in fields(Row)], lineterminator="\n"
            )
            writer.writeheader()
            for row in rows(options.trials):
                writer.writerow(asdict(row))
                file.flush()
    write_text(HERE / "README.md", page(read_rows(RESULTS, Row), options.trials))


if __name__ == "__main__":
    main()
