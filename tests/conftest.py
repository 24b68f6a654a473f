from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from latency_models.worker import import_for_workers
from nas.data.cache import FOLDER_VARIABLE, LIMIT_VARIABLE
from nas.evaluation.evaluator import IMPORTS_OF_WORKERS

from .machine import EVERY_CORE
from .services import OPTION

_LONGEST = {"test_first_steps.py", "test_lowering.py", "test_report.py", "test_search.py"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        OPTION, action="store_true", help="Chromium and PostgreSQL must be here: skip nothing"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take longest begin first: whichever ends last has a core to itself."""
    items.sort(key=lambda item: item.path.name not in _LONGEST)


def pytest_configure(config: pytest.Config) -> None:
    """Binds this of pytest-xdist's processes, and its children, to cores of its own.

    TensorFlow's and XNNPACK's threads wait actively: on shared cores they wait for each other.
    """
    if config.getoption("numprocesses", default=None) and not hasattr(config, "workerinput"):
        return  # it hands out the tests, and runs none
    count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    if count <= EVERY_CORE.count:
        EVERY_CORE.divided(count)[number].apply()
    import_for_workers(IMPORTS_OF_WORKERS)


@pytest.fixture(scope="session", autouse=True)
def image_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Decoded images are kept for as long as the tests run, and apart from the user's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FOLDER_VARIABLE, str(tmp_path_factory.mktemp("cache")))
        patch.delenv(LIMIT_VARIABLE, raising=False)
        yield
