"""Runs many stand-in workers of one study: measures their speed, and lost and doubled trials.

    python -m studies.scaling.run [--part speed|survival|sqlite]... [--trials N] [--kill-every S]

Needs PostgreSQL's programs, but no running server. The figures of each finished part are added to
``results.json`` beside this file, and ``README.md`` is written again.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import tempfile
import threading
import urllib.request
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import optuna

from nas.system.files import write_json
from nas.system.versions import installed_versions
from tests.nas.postgres import PostgresServer
from tests.services import POSTGRESQL

from .crowd import Crowd, Speed, Survival, command, measure_speed, measure_survival

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
WORKERS = (1, 2, 4, 8, 16, 32, 64)
#: Seconds of a stand-in training, and trainings of each worker on average.
SECONDS, TRIALS_PER_WORKER = 2.0, 6
#: Seconds of a training where workers are killed, number of trials, and seconds between kills.
KILLED_SECONDS, TRIALS, KILL_EVERY = 0.2, 400, 5.0
DIRECT, PROXIED = "PostgreSQL", "proxy"


@contextlib.contextmanager
def postgres() -> Iterator[PostgresServer]:
    """Context in which a PostgreSQL server runs."""
    server = PostgresServer.begin(POSTGRESQL.find()[0])
    try:
        yield server
    finally:
        server.end()


def speed(folder: Path, workers: tuple[int, ...]) -> None:
    """Measures the speed of each number of workers, with and without the proxy."""
    folder.mkdir()
    with (
        postgres() as server,
        command(folder, "serve-storage", "--storage", server.url, "--port", "0") as proxy,
    ):
        for count in workers:
            for storage, url in ((DIRECT, server.url), (PROXIED, proxy)):
                row = measure_speed(folder, storage, url, count, SECONDS, TRIALS_PER_WORKER)
                print(row, flush=True)
                _store("speed", f"{storage} {count}", row)


def survival(folder: Path, trials: int, kill_every: float) -> None:
    """Kills workers of PostgreSQL: eight, as if on their own machines; restarts the server once."""
    with postgres() as server:

        def restart() -> None:
            server.stop()
            server.start()

        crowd = Crowd(folder, "survival", server.url, KILLED_SECONDS)
        row = measure_survival(crowd, "PostgreSQL", 8, trials, kill_every, restart)
    print(row, flush=True)
    _store("survival", "postgresql", row)


def survival_of_a_file(folder: Path, trials: int, kill_every: float) -> None:
    """Kills workers of SQLite: two on one machine, while a browser shows the dashboard."""
    crowd = Crowd(folder, "file", None, KILLED_SECONDS, apart=False)
    with (
        crowd.open_study(trials) as study,
        command(folder, "dashboard", "file", "--port", "0") as page,
    ):
        ended = threading.Event()
        api = page.partition("/dashboard/")[0] + f"/api/studies/{study.optuna._study_id}?after=0"
        browser = threading.Thread(target=_poll_dashboard, args=(api, ended))
        browser.start()
        row = measure_survival(crowd, "SQLite", 2, trials, kill_every)
        ended.set()
        browser.join()
    print(row, flush=True)
    _store("survival", "sqlite", row)


def _poll_dashboard(url: str, ended: threading.Event) -> None:
    """Requests the study once a second, more often than the dashboard's page does."""
    while not ended.wait(1.0):
        with urllib.request.urlopen(url, timeout=120) as answer:
            answer.read()


def _store(part: str, name: str, row: Speed | Survival) -> None:
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results.setdefault(part, {})[name] = asdict(row)
    results["versions"] = installed_versions()
    write_json(RESULTS, results)
    (HERE / "README.md").write_text(report(results))


def report(results: dict[str, Any]) -> str:
    """Returns the text of README.md."""
    lines = [
        "# Many workers",
        "",
        "`python -m studies.scaling.run` measures this again; all figures are in",
        "[results.json](results.json). Workers are processes that go through the product's own",
        "loop, database, locks and files, and train nothing: a training is a sleep. All of them,",
        "the server and the proxy shared two hyperthreads of one core with other work that took",
        "most of it: speeds are what that left, not what PostgreSQL or the proxy can do.",
        "",
    ]
    if "speed" in results:
        lines += [
            f"## Speed, {SECONDS:g} s a training",
            "",
            "The overhead is what a worker does from one training's end to its next one's begin,",
            "the median: sampling, duplicates, bookkeeping. Space `mobile`, sampler `random`.",
            "",
            "| workers | storage | trials a second | at most | overhead, s | doubled |",
            "|---|---|---|---|---|---|",
        ]
        lines += [
            f"| {r['workers']} | {r['storage']} | {r['trials_per_second']:.2f} | "
            f"{r['workers'] / SECONDS:.1f} | {r['overhead_seconds']:.2f} | {r['doubled']} |"
            for r in results["speed"].values()
        ]
        lines.append("")
    if "survival" in results:
        lines += [
            "## Killed with -9, one every few seconds",
            "",
            "Another takes its place at once. PostgreSQL is stopped as by a power cut and started",
            "again in the middle, and each worker has a folder of its own, as on a machine of its",
            "own: what a killed one had in hand is noticed by its heartbeat alone. SQLite's two",
            "share a machine, and a browser reads the dashboard once a second.",
            "",
            "| storage | workers | a kill every, s | budget | trained | killed | run again | lost "
            "| doubled | left over | s in all |",
            "|---|---|---|---|---|---|---|---|---|---|---|",
        ]
        lines += [
            f"| {r['storage']} | {r['workers']} | {r['kill_every_seconds']:g} | {r['wanted']} | "
            f"{r['trained']} | {r['killed']} | {r['run_again']} | {r['lost']} | {r['doubled']} | "
            f"{r['left_over']} | "
            f"{r['elapsed_seconds']:.0f} |"
            for r in results["survival"].values()
        ]
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    """Measures the parts that are asked for, or all."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    logging.disable(logging.ERROR)
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", action="append", choices=("speed", "survival", "sqlite"))
    parser.add_argument("--workers", type=int, action="append", help="for speed [1 to 64]")
    parser.add_argument("--trials", type=int, default=TRIALS, help="where workers are killed")
    parser.add_argument("--kill-every", type=float, default=KILL_EVERY, help="seconds")
    options = parser.parse_args()
    parts = options.part or ["speed", "survival", "sqlite"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "speed" in parts:
            speed(folder / "speed", tuple(options.workers or WORKERS))
        if "survival" in parts:
            survival(folder / "survival", options.trials, options.kill_every)
        if "sqlite" in parts:
            survival_of_a_file(folder / "sqlite", options.trials, options.kill_every)


if __name__ == "__main__":
    main()
