"""Searches and trainings killed, interrupted, or shared: nothing is lost, nothing done twice."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from ..commands import QUICK, SMALL, SMALL_PHOTOS, run, run_json, start

OPTIONS = (*SMALL, *QUICK, "--no-baselines", "--seed", "3")


def status(folder: Path, study: str) -> dict[str, Any]:
    answer: dict[str, Any] = run_json(folder, "status", study)
    return answer


def test_an_interrupted_training_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    command = (
        "train", "ABPN", "--steps", "200", "--batch", "4", "--patch", "16", "--out", "t",
        "--data", str(SMALL_PHOTOS),
    )  # fmt: skip
    process = start(tmp_path, *command)
    assert process.stderr is not None
    while "step" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 130, errors
    with np.load(tmp_path / "t/checkpoint.npz") as checkpoint:
        before = json.loads(str(checkpoint["about"]))["seconds"]
    run(tmp_path, *command)
    seconds = json.loads((tmp_path / "t/card.json").read_text())["seconds"]
    assert seconds["training"] > before["total"] > 0
    assert seconds["gradient"] > before["gradient"] > 0
    assert (tmp_path / "t/model.tflite").exists()
    assert not (tmp_path / "t/checkpoint.npz").exists()


def test_a_search_killed_and_terminated_loses_nothing_and_trains_nothing_twice(
    tmp_path: Path,
) -> None:
    """Ctrl-C is tried in a terminal, in test_display."""
    command = ("search", "--study", "k", "--budget", "4", *OPTIONS)
    moments, database = random.Random(1), tmp_path / "studies/k/study.db"
    for how in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
        before = running(database)
        process = start(tmp_path, *command)
        deadline = time.monotonic() + 600
        while process.poll() is None and running(database) <= before:
            assert time.monotonic() < deadline, "no trial began within ten minutes"
            time.sleep(0.1)
        time.sleep(moments.uniform(0, 1.5))
        process.send_signal(how)
        _, errors = process.communicate(timeout=600)
        if how is signal.SIGTERM:
            assert process.returncode == 130, errors
            assert "Traceback" not in errors
            assert status(tmp_path, "k")["running"] == 0
    run(tmp_path, *command)
    answer = status(tmp_path, "k")
    assert answer["trained"] == 4
    assert answer["running"] == answer["waiting"] == 0
    trained = [t["candidate"] for t in answer["trials"] if t["outcome"] == "trained"]
    assert max(Counter(trained).values()) == 1
    begun = {t["candidate"] for t in answer["trials"] if t["outcome"] == "interrupted"}
    assert begun - {None} <= set(trained)


def running(database: Path) -> set[int]:
    """Trials that are under way, or were when their search was killed."""
    if not database.exists():
        return set()
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
        query = "SELECT trial_id FROM trials WHERE state = 'RUNNING'"
        return {row[0] for row in connection.execute(query)} if "trials" in tables else set()
