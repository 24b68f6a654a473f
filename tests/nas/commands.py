"""Running ``nas`` as a person does, in a folder of its own.

Within this process, for another would import everything anew; or in processes of their own, where
these are what is tested.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nas.cli import main

ROOT = Path(__file__).parents[2]
#: A space of small networks, and a few pictures: crops of NASA's portrait of Eileen Collins, which
#: scikit-image carries and which is in the public domain.
SMALL_SPACE = Path(__file__).parent / "small_space.py"
SMALL_PHOTOS = Path(__file__).parent / "small_photos"
SMALL = ("--space", str(SMALL_SPACE))
#: A search that takes moments for each candidate.
QUICK = (
    "--steps", "50", "--precision", "float32", "--input", "90x160", "--data", str(SMALL_PHOTOS),
    "--workers", "1",
)  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """How a command ended, and what it printed."""

    code: int
    output: str
    errors: str


def execute(folder: Path, *words: str) -> Answer:
    """Runs a command to its end within this process, a search's worker included."""
    # As a process has them: not every name is text.
    output, errors = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in "oe")
    code = 0
    disabled = logging.root.manager.disable
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["nas", *words])
        patch.setattr("nas.searching.run.run_worker_processes", work_here)
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            try:
                main()
            except SystemExit as end:
                code = int(end.code or 0)
            finally:
                logging.disable(disabled)
    return Answer(code, _printed(output), _printed(errors))


def _printed(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()


def work_here(command: Sequence[str], *_: object) -> list[int]:
    """Stands for ``run_worker_processes``: one worker, by its own command, within this process."""
    answer = execute(Path.cwd(), *command[command.index("worker") :])
    print(answer.errors, end="", file=sys.stderr)
    return [answer.code]


def run(folder: Path, *words: str, code: int = 0) -> str:
    """Its standard output."""
    answer = execute(folder, *words)
    assert answer.code == code, answer.errors
    return answer.output


def run_json(folder: Path, *words: str) -> Any:
    """What a command prints with ``--json``."""
    return json.loads(run(folder, *words, "--json"))


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    """Begins a command in a process of its own; its output is kept for ``communicate``."""
    # Whoever runs the tests in the background may have them, and so their children, deaf to Ctrl-C.
    main = "import signal, nas.cli; signal.signal(2, signal.default_int_handler); nas.cli.main()"
    return subprocess.Popen(
        [sys.executable, "-c", main, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_apart(folder: Path, *words: str) -> None:
    """Runs a command, and its workers, in processes of their own."""
    process = start(folder, *words)
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
