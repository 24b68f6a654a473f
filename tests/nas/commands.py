"""Running ``nas`` as a person does: a process of its own, in a folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
#: A space of small networks, and a few pictures: crops of NASA's portrait of Eileen Collins, which
#: scikit-image carries and which is in the public domain.
SMALL_SPACE = Path(__file__).parent / "small_space.py"
SMALL_PHOTOS = Path(__file__).parent / "small_photos"
SMALL = ("--space", str(SMALL_SPACE))
#: A search that takes moments for each candidate.
QUICK = (
    "--steps", "50", "--precision", "float32", "--input", "90x160", "--data", str(SMALL_PHOTOS),
)  # fmt: skip


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    """Begins a command; its output is kept for ``communicate``."""
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


def run(folder: Path, *words: str, code: int = 0) -> str:
    """Runs a command to its end; its standard output."""
    process = start(folder, *words)
    output, errors = process.communicate(timeout=600)
    assert process.returncode == code, errors
    return output


def run_json(folder: Path, *words: str) -> Any:
    """What a command prints with ``--json``."""
    return json.loads(run(folder, *words, "--json"))
