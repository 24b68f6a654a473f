from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from .console import Console
from .postgres import postgres

__all__ = ["console", "postgres"]


@pytest.fixture
def console(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Console]:
    monkeypatch.chdir(tmp_path)
    yield Console(tmp_path, monkeypatch, capsys)
    logging.disable(logging.NOTSET)
