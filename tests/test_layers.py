"""search_spaces <- latency_models <- nas: no import runs the other way; heavy ones come late."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FORBIDDEN = {
    "search_spaces": {"latency_models", "nas", "tensorflow", "keras", "ai_edge_litert", "optuna"},
    "latency_models": {"nas", "tensorflow", "keras", "optuna"},
    "nas": set[str](),
}
#: TensorFlow itself is imported by one of them, and from there by the others.
DOORS = {"tensorflow_import", "tensorflow_quietly"}
WITH_TENSORFLOW = {
    *(f"nas/networks/{door}.py" for door in DOORS),
    "nas/networks/network.py",
    "nas/networks/keras_model.py",
    "nas/networks/interpretation.py",
    "nas/networks/quantisation.py",
    "nas/networks/rounding.py",
    "nas/networks/trainer.py",
    "nas/networks/training_run.py",
    "nas/networks/optimizer.py",
    "nas/networks/calibration.py",
    "nas/networks/conversion.py",
}
HEAVY = ("tensorflow", "keras", "sklearn", "skimage", "plotly", "optuna", "adbutils")


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """First part of each name that a file imports anywhere, the dots of relative ones left out."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]


@pytest.mark.parametrize("package", FORBIDDEN)
def test_no_import_runs_the_other_way(package: str) -> None:
    assert modules(package)
    for path in modules(package):
        assert FORBIDDEN[package].isdisjoint(imported(path)), path


def test_one_place_writes_json() -> None:
    """It knows what is valid. Options are no output: pydantic is to see what was given."""
    writers = {
        path.relative_to(ROOT).as_posix()
        for path in (*modules("nas"), *modules("studies"))
        if re.search(r"json\.dumps?\(", path.read_text(encoding="utf-8"))
    }
    assert writers == {"nas/files.py", "nas/studies/options.py"}


def test_tensorflow_has_its_own_modules() -> None:
    users = {
        path.relative_to(ROOT).as_posix()
        for path in modules("nas")
        if {"tensorflow", "keras", *DOORS} & set(imported(path))
    }
    assert users <= WITH_TENSORFLOW


def test_packages_import_nothing_heavy() -> None:
    code = (
        "import sys, nas, search_spaces, latency_models; "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
