"""A study writes down what repeats it."""

from __future__ import annotations

import shutil
from pathlib import Path

from nas.studies.config import read_config

from ..commands import SMALL_PHOTOS, SMALL_SPACE, run, run_json

CONFIG = f"""
study = "c"
budget = "1"
space = "{SMALL_SPACE}"
device = "ethos-u65-512"
input = "90x160"
data = "{SMALL_PHOTOS}"
steps = 50
precision = "float32"
baselines = false
seed = 7
workers = 1
"""


def test_a_study_s_own_file_repeats_it_and_goes_on_with_it(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
    (here / "mine.toml").write_text(CONFIG)
    printed = run(here, "search", "--config", "mine.toml")
    written = here / "studies/c/search.toml"
    values = read_config(written)
    assert values.items() > read_config(here / "mine.toml").items()
    assert (values["scale"], values["objective"], values["workers"]) == (3, "score", 1)
    assert "nas report c" in printed
    card = next((here / "studies/c/pareto").glob("rank*.json")).read_text()
    assert "--budget 1 " in card
    assert f"--space {SMALL_SPACE}" in card

    run(here, "search", "--config", str(written))
    assert run_json(here, "status", "c")["trained"] == 1
    assert read_config(written) == values

    shutil.copy(written, there / "again.toml")
    run(there, "search", "--config", "again.toml", "--budget", "1")
    assert read_config(there / "studies/c/search.toml") == values
    first, again = (run_json(folder, "status", "c")["trials"][0] for folder in (here, there))
    assert first["runtime_ms"] == again["runtime_ms"]
    assert first["candidate"] == again["candidate"]
