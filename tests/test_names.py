"""Names: none that only this project knows, and one thing for one name."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("search_spaces", "latency_models", "nas")
#: What modules, classes and functions were once called, which nobody would search for.
PRIVATE = frozenset(
    (
        "laboratory", "lesson", "teaching", "crew", "prospects", "pace", "rehearsal", "interim",
        "image_way", "walks", "forms", "stand_in",
    )
)  # fmt: skip


def paths(*tops: str) -> Iterator[Path]:
    for top in tops:
        yield from sorted((ROOT / top).rglob("*.py"))


def definitions(path: Path) -> Iterator[ast.ClassDef | ast.FunctionDef]:
    """Public classes and functions of a module, and the classes' own methods."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            yield node
        if isinstance(node, ast.ClassDef):
            yield from (member for member in node.body if isinstance(member, ast.FunctionDef))


def plain(name: str) -> str:
    """``ImageWay`` and ``IMAGE_WAY`` are one name."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def test_no_module_or_symbol_has_a_private_name() -> None:
    for path in paths(*PACKAGES, "studies", "tests"):
        names = {path.stem, *(node.name for node in definitions(path))}
        assert PRIVATE.isdisjoint(map(plain, names)), path


def test_a_class_s_name_is_that_of_no_other() -> None:
    """Nor of one in another package: who searches for it finds one thing."""
    places: dict[str, list[str]] = defaultdict(list)
    for path in paths(*PACKAGES):
        for node in definitions(path):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(path.relative_to(ROOT)))
    assert not {name: found for name, found in places.items() if len(found) > 1}
