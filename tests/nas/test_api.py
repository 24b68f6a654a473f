"""``import nas``: instant, and the same answers as the command line's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import nas
from search_spaces import Candidate, InputError, InputSpec, NasError, infer

from .commands import ROOT, SMALL_PHOTOS, SMALL_SPACE, run_json, work_here
from .console import write_photos
from .tiny_model import make_tflite


def test_the_import_loads_nothing_until_it_is_used() -> None:
    code = (
        "import sys, nas; names = set(nas.__all__); assert names <= set(dir(nas))\n"
        "print([m for m in ('numpy', 'optuna', 'pydantic', 'tensorflow') if m in sys.modules])\n"
        "print(nas.zoo.find('abpn').name)\n"
        "assert all(callable(getattr(nas, name)) for name in names - {'zoo'})\n"
        "print('tensorflow' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.split("\n")[:3] == ["[]", "ABPN", "False"]


def test_what_is_not_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        nas.nope  # type: ignore[attr-defined]  # noqa: B018


def test_evaluate_as_the_command_does(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(make_tflite())
    write_photos(tmp_path / "photos")
    quality = nas.evaluate(tmp_path / "m.tflite", str(tmp_path / "photos"))
    answer = run_json(tmp_path, "evaluate", "m.tflite", "--data", "photos")
    assert (quality.psnr_db, quality.ssim) == (answer["psnr_db"], answer["ssim"])
    with pytest.raises(InputError, match=r"nope\.tflite"):
        nas.evaluate(tmp_path / "nope.tflite")


def test_predict_latency_of_a_name_a_graph_and_a_file(tmp_path: Path) -> None:
    candidate = nas.zoo.find("ABPN").build(3)
    by_name = nas.predict_latency("ABPN", "vs680")
    assert nas.predict_latency(candidate, "vs680") == by_name
    assert nas.predict_latency(candidate.deployed, "vs680") == by_name
    assert by_name.low_ms <= by_name.ms <= by_name.high_ms
    smaller = nas.predict_latency(Candidate(candidate.graph), "vs680", input="180x320")
    assert smaller.ms < by_name.ms
    assert infer(candidate.deployed, InputSpec(180, 320)).macs > 0
    (tmp_path / "m.tflite").write_bytes(make_tflite())
    latency = nas.predict_latency(tmp_path / "m.tflite", "vs680")
    assert [row.kind for row in latency.operators] == ["RESIZE_NEAREST_NEIGHBOR"]
    with pytest.raises(InputError, match="'nope'"):
        nas.predict_latency("ABPN", "nope")


def test_a_search_and_its_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("nas.searching.run.run_worker_processes", work_here)
    outcome = nas.search(
        "1", study="s", device="vs680", input="90x160", steps=50, precision="float32",
        baselines=False, objective="pareto", space=str(SMALL_SPACE), data=str(SMALL_PHOTOS),
    )  # fmt: skip
    assert not outcome.interrupted
    study = nas.load_study("s")
    assert nas.findings(study) == outcome.findings
    [record] = [record for record in study.records() if record.is_finding]
    assert record.result is not None
    assert record.result.psnr_db == outcome.findings[0].result.psnr_db
    with pytest.raises(InputError, match="should be 'score' or 'pareto'"):
        nas.search("1", objective="speed")
    with pytest.raises(InputError, match="made with device vs680"):
        nas.search("1", study="s", device="host")
    with pytest.raises(NasError, match="no study 'other'"):
        nas.load_study("other")
