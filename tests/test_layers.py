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
    *(f"nas/training/{door}.py" for door in DOORS),
    "nas/training/gpus.py",
    "nas/training/network.py",
    "nas/training/keras_model.py",
    "nas/training/interpretation.py",
    "nas/quantization/fake_quantization.py",
    "nas/quantization/rounding.py",
    "nas/training/trainer.py",
    "nas/training/training_run.py",
    "nas/training/optimizer.py",
    "nas/quantization/calibration.py",
    "nas/quantization/conversion.py",
}
#: Parts of nas/, each of which may import those before it, and what lies at the root of nas/.
#: Training and quantization are one part: INT8 training needs both.
PARTS = (
    "data", "quality", "quality_model", "training", "evaluation", "shipped", "studies", "latency",
    "sampling", "searching",
    "reporting", "exporting", "checking", "api", "cli", "__main__",
)  # fmt: skip
SAME_PART = {"quantization": "training"}
HEAVY = ("tensorflow", "keras", "sklearn", "skimage", "plotly", "optuna", "adbutils")


def modules(package: str) -> list[Path]:
    """Its files; the stub of a package, after its module, says what that loads when it is used."""
    return sorted(
        path for ending in ("py", "pyi") for path in (ROOT / package).rglob(f"*.{ending}")
    )


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


def dotted(path: Path) -> str:
    """The name of a module."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path, known: frozenset[str]) -> Iterator[str]:
    """Those of the ``known`` modules that a file imports anywhere, but for its types alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for statement in block.body
        for node in ast.walk(statement)
    }
    package = dotted(path).split(".")[: None if path.stem == "__init__" else -1]
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or id(node) in for_types:
            continue
        above = package[: len(package) + 1 - node.level] if node.level else []
        base = ".".join([*above, *([node.module] if node.module else [])])
        for alias in node.names:
            found = f"{base}.{alias.name}"
            yield from {found if found in known else base} & known - {dotted(path)}


def test_no_package_imports_a_study() -> None:
    """They are not installed."""
    for path in (path for package in FORBIDDEN for path in modules(package)):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"^\s*(from|import) studies\b", text, re.MULTILINE), path


def import_graph() -> dict[str, frozenset[str]]:
    """Every module of the three packages, with those that it imports."""
    paths = {dotted(path): path for package in FORBIDDEN for path in modules(package)}
    known = frozenset(paths)
    return {name: frozenset(imports_of(path, known)) for name, path in paths.items()}


def part_of(module: str) -> int:
    """Where in PARTS a module of nas/ belongs; what all may import is before the first."""
    name = module.split(".")[1] if "." in module else ""
    name = SAME_PART.get(name, name)
    return PARTS.index(name) if name in PARTS else -1


def test_no_import_within_nas_runs_upwards() -> None:
    upwards = [
        f"{module} imports {other}"
        for module, others in import_graph().items()
        for other in others
        if module.startswith("nas.") and part_of(other) > part_of(module)
    ]
    assert not upwards


def test_no_files_import_each_other_in_a_circle() -> None:
    graph = import_graph()
    while leaves := {module for module, others in graph.items() if not others & graph.keys()}:
        graph = {module: others for module, others in graph.items() if module not in leaves}
    importers = {other for others in graph.values() for other in others}
    circle = sorted(graph.keys() & importers)
    assert not circle


def test_one_place_writes_json() -> None:
    """It knows what is valid. Options are no output: pydantic is to see what was given."""
    writers = {
        path.relative_to(ROOT).as_posix()
        for path in (*modules("nas"), *modules("studies"))
        if re.search(r"json\.dumps?\(", path.read_text(encoding="utf-8"))
    }
    assert writers == {"nas/system/files.py", "nas/studies/options.py"}


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
