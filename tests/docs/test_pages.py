"""What pages say, held against the command line and the files; nothing is run for it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .pages import DOCS, PAGES, ROOT, read_page
from .synopses import commands, require_known

INDEX = ROOT / "docs" / "README.md"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    page = read_page(path)
    for target in page.links:
        file, _, anchor = target.partition("#")
        if "://" in target:
            continue
        linked = (page.path.parent / file) if file else page.path
        assert linked.exists(), target
        assert not anchor or anchor in read_page(linked).anchors, target


def test_every_page_is_in_the_index_and_the_index_in_the_readme() -> None:
    linked = set(read_page(INDEX).links)
    assert {path.name for path in DOCS} - {INDEX.name} <= linked
    assert "docs/README.md" in read_page(ROOT / "README.md").links


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_options_and_commands_in_the_text_are_there(path: Path) -> None:
    every = frozenset[str]().union(*(options for _, options in commands()))
    for code in read_page(path).code:
        if code.startswith("--"):
            assert code.split()[0] in every, code
        if code.startswith("nas "):
            require_known(code)


def test_every_command_is_told_of() -> None:
    told = "\n".join(path.read_text(encoding="utf-8") for path in PAGES)
    for path, _ in commands():
        # The README has alternatives: nas space list | show | sample.
        assert " ".join(("nas", *path[:1])) in told, path
        assert all(re.search(rf"\b{word}\b", told) for word in path[1:]), path
