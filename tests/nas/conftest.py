from __future__ import annotations

from pathlib import Path

import pytest

from .console import Console
from .postgres import postgres, postgres_server

__all__ = ["console", "postgres", "postgres_server"]


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Console:
    monkeypatch.chdir(tmp_path)
    return Console(tmp_path)
