"""Whole searches, with the real trainer, converter, compiler and database; only short."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from latency_models.device import load_device
from latency_models.tflite_checks import require_integer_only, require_super_resolution
from latency_models.tflite_file import read_tflite
from nas.cores import Cores
from nas.studies.latencies import read_latencies

from ..commands import QUICK, SMALL, run, run_json, start

OPTIONS = (*QUICK, "--seed", "3")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a search of two trials and two baselines has been run."""
    folder = tmp_path_factory.mktemp("search")
    run(folder, "search", "--study", "s", "--budget", "2", *OPTIONS)
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
    answer = run_json(place, "evaluate", str(file))
    assert answer["psnr_db"] == pytest.approx(card["psnr_db"], abs=1e-9)
    assert answer["ssim"] == pytest.approx(card["ssim"], abs=1e-9)
    for key in ("architecture", "latency", "training", "versions", "command", "psnr_float_db"):
        assert card[key]


def test_a_card_s_latency_is_what_predict_says_of_its_file(place: Path) -> None:
    file = next((place / "studies/s/pareto").glob("*.tflite"))
    card = json.loads(file.with_suffix(".json").read_text())
    device = card["latency"]["device"]
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
    process = start(place, "search", "--study", "s", "--budget", "9", *other)
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 2
    assert len(errors.strip().splitlines()) == 1
    assert "was made with" in errors


def test_the_front_is_exported_a_folder_each(place: Path) -> None:
    front = run_json(place, "pareto", "s")
    run(place, "export", "s", "--to", "out")
    assert {path.name for path in (place / "out").iterdir()} == {
        Path(row["file"]).stem for row in front
    }
    for row in front:
        card = json.loads((place / "out" / Path(row["file"]).stem / "card.json").read_text())
        assert card["psnr_db"] == row["psnr_db"]
        assert card["latency"]["ms"] == row["runtime_ms"]


def test_a_trial_s_network_can_be_trained_at_length(place: Path) -> None:
    what = f"s#{trained(status(place))[0]}"
    rows = run_json(
        place, "train", what, "--steps", "30", "--batch", "4", "--patch", "16", "--out", "t"
    )
    assert rows[0]["data"] == "validation"
    assert (place / "t/model.tflite").exists()
    assert not (place / "t/checkpoint.npz").exists()


@pytest.mark.skipif(Cores.available().count < 2, reason="a worker needs a core")
def test_two_workers_share_a_study(tmp_path: Path) -> None:
    options = ("--study", "w", "--budget", "3", "--workers", "2", *SMALL)
    _, errors = start(tmp_path, "search", *options, *OPTIONS).communicate(timeout=600)
    done = re.findall(r"^\[(worker [0-9,]+)\] budget reached: 3 trained trials$", errors, re.M)
    assert len(set(done)) == 2, errors
    answer = status(tmp_path, "w")
    assert answer["trained"] == 3
    assert answer["outcomes"]["baseline"] == 2
    assert answer["running"] == 0


def test_what_is_over_the_latency_limit_is_not_trained(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(SPACE.format(widest=8, fails="False"))
    command = ("search", "--space", "mine.py", "--study", "m", "--budget", "1", *OPTIONS)
    run(tmp_path, *command, "--no-baselines", "--max-latency", "0.001")
    answer = status(tmp_path, "m")
    assert answer["outcomes"].keys() == {"infeasible", "duplicate"}
    assert answer["outcomes"]["infeasible"] == 5
    reason = answer["trials"][0]["reason"]
    assert "over the limit" in reason
    assert "predicted" in reason


def test_the_best_are_measured_in_the_end_and_the_search_goes_on_with_that(tmp_path: Path) -> None:
    command = ("search", "--study", "c", *SMALL, *OPTIONS, "--confirm", "host")
    run(tmp_path, *command, "--budget", "1")
    [first] = run_json(tmp_path, "pareto", "c")
    assert first["latency_source"] == "host"
    refitted = load_device(tmp_path / "studies/c/refitted")
    answer = run_json(tmp_path, "latency", "predict", "ABPN", "--device", str(refitted.folder))
    assert answer["source"] == "regression"
    assert answer["conditions"]["stack"] == refitted.stack == load_device("host").stack
    run(tmp_path, *command, "--budget", "2")
    known = read_latencies(tmp_path / "studies/c/latencies.json")
    timed = {t["trial"] for t in status(tmp_path, "c")["trials"] if t["runtime_ms"] is not None}
    assert known.measured_trials == timed
    console = start(tmp_path, *command[:-1], "nope", "--budget", "3")
    _, errors = console.communicate(timeout=600)
    assert console.returncode == 2
    assert "unknown device 'nope'" in errors


DEEP = """
from search_spaces import GraphBuilder

def sample(trial, scale=3):
    net = GraphBuilder()
    features = net.conv(net.input, trial.suggest_int("width", 4, 40), relu=True)
    if trial.suggest_categorical("deep", (False, True)):
        for _ in range(20):
            features = net.conv(features, 64, relu=True)
    return net.image(net.conv(features, 3 * scale**2), scale)
"""


def test_what_is_too_slow_to_win_is_not_trained_where_the_score_is_all(tmp_path: Path) -> None:
    (tmp_path / "deep.py").write_text(DEEP)
    command = ("search", "--space", "deep.py", "--study", "d", "--no-baselines", *OPTIONS)
    run(tmp_path, *command, "--budget", "4")
    answer = status(tmp_path, "d")
    slow = [trial for trial in answer["trials"] if trial["outcome"] == "too slow to win"]
    assert slow
    assert all("it would need" in trial["reason"] for trial in slow)


def test_other_objectives_and_samplers_run(tmp_path: Path) -> None:
    options = ("--objective", "pareto", "--sampler", "nsga2", *SMALL)
    run(tmp_path, "search", "--study", "o", "--budget", "1", "--no-baselines", *OPTIONS, *options)
    assert status(tmp_path, "o")["trained"] == 1
    assert run_json(tmp_path, "pareto", "o")


SPACE = """
from search_spaces import GraphBuilder

def sample(trial, scale=3):
    net = GraphBuilder()
    width = trial.suggest_int("width", 4, {widest})
    if {fails}:
        raise RuntimeError("an empty thought")
    return net.image(net.conv(net.conv(net.input, width, relu=True), 3 * scale**2), scale)
"""


def search_own_space(folder: Path, budget: int, *, widest: int = 64, fails: str = "False") -> str:
    """Searches a space of a user's own, in study ``f``; what the command prints."""
    (folder / "mine.py").write_text(SPACE.format(widest=widest, fails=fails))
    command = ("search", "--space", "mine.py", "--study", "f", "--no-baselines", *OPTIONS)
    return run(folder, *command, "--budget", str(budget))


def test_failures_are_recorded_and_the_search_goes_on(tmp_path: Path) -> None:
    search_own_space(tmp_path, 2, fails="trial.number % 2 == 0")
    answer = status(tmp_path, "f")
    assert answer["trained"] == 2
    failed = [t["reason"] for t in answer["trials"] if t["outcome"] == "failed"]
    assert len(failed) == 2
    assert all("mine.py, line 8: RuntimeError: an empty thought" in reason for reason in failed)


def test_failures_only_end_the_search_and_it_says_so(tmp_path: Path) -> None:
    output = search_own_space(tmp_path, 2, fails="trial.number > 0")
    assert "20 failures in a row" in output
    assert "an empty thought" in output


def test_a_small_space_that_is_used_up_ends_the_search(tmp_path: Path) -> None:
    output = search_own_space(tmp_path, 5, widest=4)
    assert "200 samples in a row gave no new candidate" in output
    assert status(tmp_path, "f")["trained"] == 1
