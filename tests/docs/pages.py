"""A page of Markdown, as a reader has it: files to save, commands to run, output to compare.

- A fence with ``title="NAME"`` is a file to save.
- ``sh`` is commands, one a line; so is an indented block that begins with a program. ``python`` is
  a script.
- ``text`` right after either is what it prints, where ``...`` stands for anything.
- ``<!-- not run: REASON -->`` before a block leaves it out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
DOCS = tuple(sorted((ROOT / "docs").glob("*.md")))
PAGES = (ROOT / "README.md", *DOCS)

_PROGRAMS = ("nas", "python3", "pip")
_TITLE = re.compile(r'title="([^"]+)"')
_NOT_RUN = re.compile(r"<!--\s*not run:\s*(\S.*?)\s*-->\s*", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A code block; ``title``: the file that it is; ``not_run``: why it is left out."""

    language: str
    text: str
    line: int
    title: str = ""
    not_run: str = ""


@dataclass(frozen=True)
class Page:
    """What is in a page: its blocks, and what its text links to and writes as code."""

    path: Path
    blocks: tuple[Block, ...]
    links: tuple[str, ...]
    code: tuple[str, ...]
    #: of headings, as GitHub makes them
    anchors: frozenset[str]


def read_page(path: Path) -> Page:
    """The page of a Markdown file."""
    tokens = MarkdownIt("commonmark").enable("table").parse(path.read_text(encoding="utf-8"))
    inline = [child for token in tokens for child in token.children or ()]
    return Page(
        path,
        tuple(_blocks(tokens)),
        tuple(str(t.attrs["href"]) for t in inline if t.type == "link_open"),
        tuple(token.content for token in inline if token.type == "code_inline"),
        frozenset(
            re.sub(r"[^\w -]", "", heading.content.lower()).replace(" ", "-")
            for opening, heading in pairwise(tokens)
            if opening.type == "heading_open"
        ),
    )


def _blocks(tokens: list[Token]) -> Iterator[Block]:
    for before, token in zip((None, *tokens), tokens, strict=False):
        if token.type not in ("fence", "code_block"):
            continue
        language, _, rest = token.info.partition(" ")
        title = _TITLE.search(rest)
        mark = _NOT_RUN.fullmatch(before.content) if before is not None else None
        yield Block(
            language or _language(token.content),
            token.content,
            token.map[0] + 1 if token.map else 0,
            title[1] if title else "",
            mark[1] if mark else "",
        )


def _language(text: str) -> str:
    return "sh" if text.split(maxsplit=1)[0] in _PROGRAMS else ""
