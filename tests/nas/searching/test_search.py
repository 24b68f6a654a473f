"""Whole searches, with the real trainer, converter, compiler and database; only short."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from latency_models.device import load_device
from latency_models.tflite.checks import require_integer_only, require_super_resolution
from latency_models.tflite.file import read_tflite
from nas.studies.latencies import read_latencies

from ...machine import EVERY_CORE
from ..commands import QUICK, SMALL, SMALL_PHOTOS, execute, run, run_apart, run_json, start

OPTIONS = (*QUICK, "--seed", "3")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a search of two trials and two baselines has been run."""
    folder = tmp_path_factory.mktemp("search")
    run_apart(folder, "search", "--study", "s", "--budget", "2", *SMALL, *OPTIONS)
    return folder


def status(folder: Path, study: str = "s") -> dict[str, Any]:
    answer: dict[str, Any] = run_json(folder, "status", study)
    return answer


def trained(answer: dict[str, Any]) -> list[int]:
    """Numbers of the trained trials of a status."""
    return [trial["trial"] for trial in answer["trials"] if trial["outcome"] == "trained"]


def test_a_search_leaves_trained_trials_baselines_and_a_ranked_front(place: Path) -> None:
    answer = status(place)
    assert answer["trained"] == 2
    baselines = [t["baseline"] for t in answer["trials"] if t["outcome"] == "baseline"]
    assert baselines == ["ABPN", "XLSR"]
    front = run_json(place, "pareto", "s")
    assert front == json.loads((place / "studies/s/pareto/pareto.json").read_text())
    assert front
    assert {row["trial"] for row in front} <= set(trained(answer))
    scores = [row["score"] for row in front]
    assert scores == sorted(scores, reverse=True)


def test_every_model_of_the_front_is_integer_only_and_maps_levels(place: Path) -> None:
    files = list((place / "studies/s/pareto").glob("*.tflite"))
    assert files
    for file in files:
        model = read_tflite(file.read_bytes())
        require_integer_only(model)
        form = require_super_resolution(model)
        assert (str(form.input), form.scale) == ("90x160", 3)


def test_evaluate_gives_the_psnr_that_the_card_states(place: Path) -> None:
    file = next((place / "studies/s/pareto").glob("*.tflite"))
    card = json.loads(file.with_suffix(".json").read_text())
    answer = run_json(place, "evaluate", str(file), "--data", str(SMALL_PHOTOS))
    assert answer["psnr_db"] == pytest.approx(card["psnr_db"], abs=1e-9)
    assert answer["ssim"] == pytest.approx(card["ssim"], abs=1e-9)
    for key in ("architecture", "latency", "training", "versions", "command", "psnr_float_db"):
        assert card[key]


def test_a_card_s_latency_is_what_predict_says_of_its_file(place: Path) -> None:
    file = next((place / "studies/s/pareto").glob("*.tflite"))
    card = json.loads(file.with_suffix(".json").read_text())
    device = card["device"]
    answer = run_json(place, "latency", "predict", str(file), "--device", device)
    assert answer["ms"] == pytest.approx(card["latency"]["ms"])
    assert [row["kind"] for row in answer["operators"]] == [
        row["kind"] for row in card["latency"]["operators"]
    ]


def test_the_same_command_does_nothing_more_and_a_larger_budget_goes_on(place: Path) -> None:
    before = len(status(place)["trials"])
    run(place, "search", "--study", "s", "--budget", "2")
    assert len(status(place)["trials"]) == before
    run(place, "search", "--study", "s", "--budget", "3")
    answer = status(place)
    assert answer["trained"] == 3
    assert answer["outcomes"]["baseline"] == 2


@pytest.mark.parametrize(
    "other",
    [
        ("--device", "ethos-u55-256"),
        ("--scale", "2"),
        ("--input", "360x640"),
        ("--sampler", "random"),
        ("--max-latency", "5"),
    ],
)
def test_a_study_is_not_continued_under_other_conditions(
    place: Path, other: tuple[str, str]
) -> None:
    answer = execute(place, "search", "--study", "s", "--budget", "9", *other)
    assert answer.code == 2
    assert len(answer.errors.strip().splitlines()) == 1
    assert "was made with" in answer.errors


SLOPES = """
from search_spaces import GraphBuilder, PRelu


def sample(trial, scale=3):
    net = GraphBuilder()
    features = net.add_node(PRelu(), net.conv(net.input, trial.suggest_int("width", 16, 17)))
    return net.image(net.conv(features, 3 * scale**2), scale)
"""


def test_a_compiled_latency_is_that_of_the_trained_file(tmp_path: Path) -> None:
    """Before training it can only be that of a file with other weights."""
    (tmp_path / "slopes.py").write_text(SLOPES)
    options = ("--space", "slopes.py", "--device", "ethos-u55-256", "--no-baselines", *OPTIONS)
    run(tmp_path, "search", "--study", "s", "--budget", "1", *options)
    (row,) = run_json(tmp_path, "pareto", "s")
    for what in (f"studies/s/pareto/{row['file']}", f"s#{row['trial']}"):
        words = ("latency", "predict", what, "--device", "ethos-u55-256", "--input", "90x160")
        assert run_json(tmp_path, *words)["ms"] == pytest.approx(row["runtime_ms"])


def test_the_front_is_exported_a_folder_each(place: Path) -> None:
    front = run_json(place, "pareto", "s")
    told = run(place, "export", "s", "--to", "out")
    assert {path.name for path in (place / "out").iterdir()} == {
        Path(row["file"]).stem for row in front
    }
    for row in front:
        card = json.loads((place / "out" / Path(row["file"]).stem / "card.json").read_text())
        assert card["psnr_db"] == row["psnr_db"]
        assert card["latency"]["ms"] == row["runtime_ms"]
        judged = Path(row["file"]).stem, "dynamic_int8.tflite: "
        assert "/".join(judged) in told


def test_a_trial_s_network_can_be_trained_at_length(place: Path) -> None:
    what = f"s#{trained(status(place))[0]}"
    rows = run_json(
        place, "train", what, "--steps", "30", "--batch", "4", "--patch", "16", "--out", "t",
        "--data", str(SMALL_PHOTOS),
    )  # fmt: skip
    assert rows[0]["data"] == "validation"
    assert (place / "t/model.tflite").exists()
    assert not (place / "t/checkpoint.npz").exists()


@pytest.mark.skipif(EVERY_CORE.count < 2, reason="a worker needs a core")
def test_two_workers_share_a_study(tmp_path: Path) -> None:
    options = ("--study", "w", "--budget", "3", "--workers", "2", *SMALL)
    with EVERY_CORE.applied():
        search = start(tmp_path, "search", *OPTIONS, *options)
    _, errors = search.communicate(timeout=600)
    done = re.findall(r"^\[(worker [0-9,]+)\] budget reached: 3 trained trials$", errors, re.M)
    assert len(set(done)) == 2, errors
    assert errors.count("] TensorFlow sees ") == 2, errors
    answer = status(tmp_path, "w")
    assert answer["trained"] == 3
    assert answer["outcomes"]["baseline"] == 2
    assert answer["running"] == 0


def test_the_best_are_measured_in_the_end_and_the_search_goes_on_with_that(
    place: Path, tmp_path: Path
) -> None:
    shutil.copytree(place, tmp_path, dirs_exist_ok=True)
    done = status(tmp_path)["trained"]
    command = ("search", "--study", "s", "--confirm", "host")
    run(tmp_path, *command, "--budget", str(done))
    assert {row["latency_source"] for row in run_json(tmp_path, "pareto", "s")} == {"host"}
    refitted = load_device(tmp_path / "studies/s/refitted")
    answer = run_json(tmp_path, "latency", "predict", "ABPN", "--device", str(refitted.folder))
    assert answer["source"] == "regression"
    assert answer["conditions"]["stack"] == refitted.stack == load_device("host").stack
    run(tmp_path, *command, "--budget", str(done + 1))
    assert status(tmp_path)["trained"] == done + 1
    known = read_latencies(tmp_path / "studies/s/latencies.json")
    timed = {t["trial"] for t in status(tmp_path)["trials"] if t["runtime_ms"] is not None}
    assert known.measured_trials == timed
    answer = execute(tmp_path, *command[:-1], "nope", "--budget", "9")
    assert answer.code == 2
    assert "unknown device 'nope'" in answer.errors
