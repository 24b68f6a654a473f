"""Somebody who does what a page says, line by line, in one folder."""

from __future__ import annotations

import doctest
import importlib.metadata
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ..nas.commands import ROOT, execute, start
from .economies import TRAIN_ONE, Economy, economical, economical_script
from .pages import Block, Page, read_page
from .synopses import is_synopsis, require_known

_CHECKER = doctest.OutputChecker()
_LOOSELY = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
#: What the tests run in is made already, and these are the tests.
_DONE = ("python3 -m venv", ". ", "pip install ", "pytest")
_EXTRA = re.compile(r"\[(\w+)\]")
#: What follows two spaces tells of a command.
_REMARK = re.compile(r"\s{2,}")


@dataclass
class Reader:
    """Works in ``folder``; ``stands_for`` puts real values in for a page's examples."""

    folder: Path
    stands_for: Mapping[str, str] = field(default_factory=dict)

    def follow(self, path: Path, search: Economy = TRAIN_ONE) -> None:
        """Saves the files, runs the commands, and compares what they print.

        AssertionError, with the page and the line, of a command that fails or prints otherwise.
        """
        page = read_page(path)
        self._save(page)
        printed = ""
        for block in page.blocks:
            if block.not_run or block.title:
                continue
            try:
                printed = self._do(block, printed, search)
            except AssertionError as error:
                pytest.fail(f"{page.path.name}, line {block.line}: {error}")

    def _save(self, page: Page) -> None:
        for block in page.blocks:
            if block.title:
                file = self.folder / block.title
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(self._real(block.text), encoding="utf-8")

    def _do(self, block: Block, printed: str, search: Economy) -> str:
        """Output of a block of commands; of any other, nothing."""
        text = self._real(block.text)
        if block.language == "sh":
            return "".join(self._run(line, search) for line in text.splitlines() if line.strip())
        if block.language == "python":
            (self.folder / "script.py").write_text(economical_script(text), encoding="utf-8")
            return run_program([sys.executable, "script.py"], self.folder)
        if block.language == "text":
            assert _CHECKER.check_output(text, printed, _LOOSELY), f"it is printed:\n{printed}"
        return ""

    def _real(self, text: str) -> str:
        for example, value in self.stands_for.items():
            text = text.replace(example, value)
        return text

    def _run(self, line: str, search: Economy) -> str:
        usage = _REMARK.split(line.strip())[0]
        if is_synopsis(usage):
            require_known(usage)
            return ""
        *before, command = usage.split(" && ")
        for part in before:
            _require_done(part)
        if command.startswith(_DONE):
            _require_done(command)
            return ""
        return self._run_words(expanded(command, self.folder), search)

    def _run_words(self, words: list[str], search: Economy) -> str:
        if words[0] != "nas":
            program = sys.executable if words[0] == "python" else words[0]
            return run_program([program, *words[1:]], self.folder)
        words = economical(words[1:], search)
        if words[0] == "dashboard":
            return open_dashboard(self.folder, words)
        return run_nas(self.folder, words)


def expanded(line: str, folder: Path) -> list[str]:
    """The words of a command as a shell makes them: quotes, comments, ~ and *."""
    command = f"printf '%s\\0' {line}"
    answer = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, check=True)
    return answer.stdout.decode().split("\0")[:-1]


def run_nas(folder: Path, words: list[str]) -> str:
    """Runs a command; what it printed."""
    answer = execute(folder, *words)
    assert answer.code == 0, (
        f"nas {' '.join(words)}: exit code {answer.code}: {answer.output}{answer.errors}"
    )
    return answer.output


def run_program(words: list[str], folder: Path) -> str:
    """Runs any other program; what it printed."""
    answer = subprocess.run(
        words,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, f"{words}: {answer.stderr}"
    return answer.stdout


def open_dashboard(folder: Path, words: list[str]) -> str:
    """Looks at the page that is served, and ends it."""
    process = start(folder, *words)
    assert process.stdout is not None
    line = process.stdout.readline()
    if line:
        with urllib.request.urlopen(line.split()[1]) as page:
            assert page.status == 200
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 130, errors
    return line


def _require_done(command: str) -> None:
    """AssertionError if ``command`` makes no environment such as the tests run in."""
    assert command.startswith(_DONE), f"{command!r} is no installation"
    extra = _EXTRA.search(command)
    known = importlib.metadata.metadata("npu-nas").get_all("Provides-Extra") or []
    assert extra is None or extra[1] in known, f"{command!r}: no such extra"
