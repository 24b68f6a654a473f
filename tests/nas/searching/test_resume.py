"""Searches and trainings killed, interrupted, or shared: nothing is lost, nothing done twice."""

from __future__ import annotations

import random
import signal
import sqlite3
import time
from collections import Counter
from pathlib import Path
from typing import Any

from ..commands import QUICK, run, run_json, start

OPTIONS = (*QUICK, "--no-baselines", "--seed", "3")


def status(folder: Path, study: str) -> dict[str, Any]:
    answer: dict[str, Any] = run_json(folder, "status", study)
    return answer


def test_an_interrupted_training_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    command = ("train", "ABPN", "--steps", "400", "--batch", "4", "--patch", "16", "--out", "t")
    process = start(tmp_path, *command)
    assert process.stderr is not None
    while "step" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 130, errors
    assert (tmp_path / "t/checkpoint.npz").exists()
    run(tmp_path, *command)
    assert (tmp_path / "t/model.tflite").exists()
    assert not (tmp_path / "t/checkpoint.npz").exists()


def test_a_killed_search_loses_nothing_and_trains_nothing_twice(tmp_path: Path) -> None:
    command = ("search", "--study", "k", "--budget", "4", *OPTIONS)
    moments = random.Random(1)
    for _ in range(3):
        process = start(tmp_path, *command)
        database = tmp_path / "studies/k/study.db"
        _wait_for_a_trial(database)
        time.sleep(moments.uniform(0, 6))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    run(tmp_path, *command)
    answer = status(tmp_path, "k")
    assert answer["trained"] == 4
    assert answer["running"] == answer["waiting"] == 0
    trained = [t["candidate"] for t in answer["trials"] if t["outcome"] == "trained"]
    assert max(Counter(trained).values()) == 1
    begun = {t["candidate"] for t in answer["trials"] if t["outcome"] == "interrupted"}
    assert begun - {None} <= set(trained)


def _wait_for_a_trial(database: Path) -> None:
    """Until a trial is under way."""
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        if database.exists():
            with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
                tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
                query = "SELECT count(*) FROM trials WHERE state = 'RUNNING'"
                if "trials" in tables and connection.execute(query).fetchone()[0]:
                    return
        time.sleep(0.1)
    raise AssertionError("no trial began within ten minutes")


def test_a_terminated_search_ends_cleanly_and_goes_on(tmp_path: Path) -> None:
    """Ctrl-C is tried in a terminal, in test_display."""
    command = ("search", "--study", "i", "--budget", "1", *OPTIONS)
    process = start(tmp_path, *command)
    _wait_for_a_trial(tmp_path / "studies/i/study.db")
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert status(tmp_path, "i")["running"] == 0
    run(tmp_path, *command)
    answer = status(tmp_path, "i")
    assert answer["trained"] == 1
    assert len({t["candidate"] for t in answer["trials"]} - {None}) == 1
