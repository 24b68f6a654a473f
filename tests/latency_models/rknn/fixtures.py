"""Interpreters for the source: the stand-in, and what a user may name by mistake."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from latency_models.sources.rknn.toolkit import VARIABLE

FAKE_TOOLKIT = Path(__file__).with_name("fake_toolkit.py")

Script = Callable[[str], Path]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Writes an executable with these lines of shell; its path."""

    def write(lines: str) -> Path:
        path = tmp_path / "interpreter"
        path.write_text(f"#!/bin/sh\n{lines}\n")
        path.chmod(0o700)
        return path

    return write


@pytest.fixture
def rknn_interpreter(script: Script, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The stand-in, named in the environment."""
    path = script(f'exec "{sys.executable}" -m tests.latency_models.rknn.fake_toolkit "$@"')
    monkeypatch.setenv(VARIABLE, str(path))
    monkeypatch.setenv("PYTHONPATH", str(FAKE_TOOLKIT.parents[3]))
    return path
