from __future__ import annotations

from collections.abc import Iterator

import pytest

from latency_models import Worker

from .models import Models


@pytest.fixture(scope="session")
def worker() -> Iterator[Worker]:
    with Worker() as worker:
        yield worker


@pytest.fixture(scope="session")
def models() -> Iterator[Models]:
    # A worker of its own: the other is crashed and timed out on purpose.
    with Worker() as worker:
        yield Models(worker)
