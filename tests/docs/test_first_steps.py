"""The pages without a device, followed in one folder: a study made by the first serves the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from .economies import TRAIN_NONE, TRAIN_ONE_THERE
from .pages import ROOT
from .reader import Reader

DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def begun(reader: Reader) -> Reader:
    """Somebody who has been through the quick start."""
    reader.follow(DOCS / "quick-start.md", search=TRAIN_ONE_THERE)
    return reader


def test_quick_start(begun: Reader) -> None:
    assert (begun.folder / "studies/first/report.html").stat().st_size > 1e6
    exported = {path.name for path in begun.folder.glob("out/rank01-*/*")}
    assert {"model.tflite", "card.json", "example.py", "RUN.md", "SHA256SUMS"} <= exported
    assert (begun.folder / "larger.png").exists()


def test_models_that_come_with_nas(reader: Reader) -> None:
    reader.follow(DOCS / "shipped-models.md")


def test_the_report(begun: Reader) -> None:
    begun.follow(DOCS / "report.md")


def test_searching(begun: Reader) -> None:
    begun.follow(DOCS / "searching.md", search=TRAIN_NONE)
    assert (begun.folder / "studies/capped/search.toml").exists()
    assert list(begun.folder.glob("shipped/*.tflite"))


def test_from_python(begun: Reader) -> None:
    begun.follow(DOCS / "python.md")


def test_readme(begun: Reader) -> None:
    begun.follow(ROOT / "README.md", search=TRAIN_NONE)


def test_the_index(begun: Reader) -> None:
    begun.follow(DOCS / "README.md")


def test_a_page_that_is_wrong_is_noticed(reader: Reader, tmp_path: Path) -> None:
    for text in (
        "```sh\nnas space show nowhere\n```",
        "```sh\nfalse\n```",
        "```sh\nnas space count anchor\n```\n\n```text\n7 combinations\n```",
        "```python\nraise SystemExit(1)\n```",
        "```sh\nnas frobnicate NAME\n```",
        "```sh\nnas status NAME --nope\n```",
    ):
        (tmp_path / "wrong.md").write_text(text)
        with pytest.raises(pytest.fail.Exception, match=r"wrong\.md, line \d+: "):
            reader.follow(tmp_path / "wrong.md")
