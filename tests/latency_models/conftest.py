from __future__ import annotations

from collections.abc import Iterator

import pytest

from latency_models import Worker

from .adb.fixtures import adb_server, board, board_device, plugged, private_adb
from .models import Models
from .rknn.fixtures import rknn_interpreter, script

__all__ = [
    "adb_server", "board", "board_device", "plugged", "private_adb", "rknn_interpreter", "script",
]  # fmt: skip


@pytest.fixture(scope="session")
def worker() -> Iterator[Worker]:
    with Worker() as worker:
        yield worker


@pytest.fixture(scope="session")
def models() -> Iterator[Models]:
    # A worker of its own: the other is crashed and timed out on purpose.
    with Worker() as worker:
        yield Models(worker)
