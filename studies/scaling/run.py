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
        "# Many workers, and workers that are killed",
        "",
        "`python -m studies.scaling.run` repeats the measurements; all figures are in",
        "[results.json](results.json). The workers are processes that use the product's own loop,",
        "database, locks and files, but sleep instead of training. All workers, the server and the",
        "proxy shared two hyperthreads of one core with other programs that used most of it. The",
        "durations therefore do not show what PostgreSQL or the proxy are capable of.",
        "",
    ]
    if "speed" in results:
        lines += [
            f"## Speed with trainings of {SECONDS:g} s",
            "",
            "The overhead is the median time between the end of a worker's training and the start",
            "of its next one: sampling, check for duplicates, storage. The space is `mobile`, the",
            "sampler `random`.",
            "",
            "| workers | storage | trials per second | upper limit without overhead | overhead, s "
            "| networks trained twice |",
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
            "## Workers killed by `kill -9` every few seconds",
            "",
            "A new worker replaces each killed one at once. PostgreSQL is stopped as by a power",
            "failure and restarted after half of the trials. Each of its workers has its own",
            "folder, as on a separate machine: only the missing heartbeat shows that the trial of",
            "a killed worker was interrupted. The two workers of SQLite share a machine, and a",
            "browser reads the dashboard once a second.",
            "",
            "- *Repeated*: interrupted trials that were run again. *Lost*: interrupted trials that",
            "  were not run again.",
            "- *Doubled*: networks that count more than once, and trials that were run again more",
            "  than once.",
            "- *Unfinished*: trials that are still running or waiting at the end.",
            "",
            "| storage | workers | seconds between kills | budget, trials | trials trained "
            "| workers killed | repeated | lost | doubled | unfinished | duration, s |",
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
    parser.add_argument(
        "--workers",
        type=int,
        action="append",
        help="in part speed [1 to 64]",
    )
    parser.add_argument("--trials", type=int, default=TRIALS, help="if workers are killed")
    parser.add_argument(
        "--kill-every", type=float, default=KILL_EVERY, help="seconds between kills"
    )
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
