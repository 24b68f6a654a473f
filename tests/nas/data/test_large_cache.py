"""A cache of more images than memory holds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from . import sparse_start


def test_thirty_gigabytes_are_opened_and_drawn_from_within_little_memory(tmp_path: Path) -> None:
    program = [sys.executable, "-m", sparse_start.__name__, str(tmp_path)]
    found = json.loads(subprocess.run(program, capture_output=True, text=True, check=True).stdout)
    assert found["images"] == sparse_start.COUNT
    assert found["bytes"] > 30e9
    assert found["opened_bytes"] < 200e6
    rows = sparse_start.BATCHES * sparse_start.BATCH * sparse_start.PATCH * 3
    read_bytes = rows * sparse_start.HR[1] * 3  # a row is shorter than two pages
    assert found["peak_bytes"] - found["opened_bytes"] < read_bytes / 5
