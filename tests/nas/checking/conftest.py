from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from latency_models import Worker
from latency_models.device import Device
from nas.checking.check import check_file
from nas.checking.finding import Report
from search_spaces import InputSpec

from . import broken_models


@dataclass(frozen=True)
class Bench:
    """Makes models and checks them, all in one worker."""

    worker: Worker
    folder: Path

    def graph(self, name: str, spec: InputSpec | None = broken_models.SPEC) -> Path:
        path = self.folder / f"{name} {spec}.tflite"
        if not path.exists():
            path.write_bytes(self.worker.call(300, broken_models.of_graph, name, spec))
        return path

    def by_hand(self, **faults: Any) -> Path:
        path = self.folder / f"{sorted(faults.items())}.tflite"
        if not path.exists():
            path.write_bytes(self.worker.call(300, broken_models.by_hand, **faults))
        return path

    def check(self, path: Path, device: Device | None = None) -> Report:
        return check_file(path, device, self.worker)


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with Worker() as worker:
        yield Bench(worker, tmp_path_factory.mktemp("models"))
