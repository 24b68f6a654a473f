"""Optuna's storage proxy: what it does not do of itself, and what is told of a wrong one."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import optuna
import pytest
from optuna.storages import InMemoryStorage
from optuna.storages._grpc.server import make_server
from optuna.trial import TrialState

from nas.studies.database import database_lock, open_url, url_has_tables
from nas.studies.folder import StudyFolder
from nas.studies.place import DatabaseError
from nas.studies.proxy import ProxyAddress
from nas.studies.proxy_server import serving
from nas.studies.study import create_study, load_study
from search_spaces import InputError, NasError

from ..commands import execute
from ..postgres import free_port
from .heartbeats import age, backend
from .test_study import SETTINGS


@pytest.fixture
def database(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/shared.db"


@pytest.fixture
def proxy(database: str) -> Iterator[str]:
    with serving(database, "127.0.0.1", 0) as (_, address):
        yield f"grpc://{address}"


def test_trials_are_the_same_with_and_without_it(proxy: str, database: str) -> None:
    study = optuna.create_study(study_name="s", storage=open_url(proxy), direction="maximize")
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=3)
    study.optimize(failing, n_trials=1, catch=(ValueError,))
    direct = optuna.load_study(study_name="s", storage=open_url(database))
    assert study.get_trials() == direct.get_trials()
    assert [trial.state for trial in direct.get_trials()][-1] is TrialState.FAIL


def failing(_: optuna.Trial) -> float:
    raise ValueError


@pytest.mark.parametrize("other", ["proxy", "database"])
def test_only_one_at_a_time_is_alone_with_and_without_it(
    proxy: str, database: str, other: str
) -> None:
    inside = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        with database_lock(proxy):
            waiting = pool.submit(enter, proxy if other == "proxy" else database, inside)
            assert not inside.wait(0.5)
        waiting.result(timeout=30)
    assert inside.is_set()


def enter(url: str, inside: threading.Event) -> None:
    with database_lock(url):
        inside.set()


def test_many_may_wait_for_one(proxy: str) -> None:
    """More than the proxy has threads; the one that is alone still gets its answers."""
    with ThreadPoolExecutor(40) as pool:
        with database_lock(proxy):
            waiting = [pool.submit(enter, proxy, threading.Event()) for _ in range(40)]
            assert url_has_tables(proxy)
        for one in waiting:
            one.result(timeout=60)


def test_one_that_is_killed_lets_go(proxy: str) -> None:
    script = (
        "import sys; from nas.studies.database import database_lock\n"
        "with database_lock(sys.argv[1]): print('in', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, proxy], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"in\n"
    inside = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(enter, proxy, inside)
        assert not inside.wait(0.5)
        holder.kill()
        waiting.result(timeout=30)
    holder.communicate()


def test_a_worker_waits_for_a_proxy_that_begins_anew(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with serving(database, "127.0.0.1", 0) as (_, address):
        ours = create_study(StudyFolder.named("s"), f"grpc://{address}", SETTINGS)
        study = ours.optuna
        trial = study.ask()
    port = int(address.rpartition(":")[2])
    with ThreadPoolExecutor(3) as pool:
        asked = pool.submit(study.ask)
        looked = pool.submit(optuna.storages.fail_stale_trials, study)
        named = pool.submit(ours.name_worker, trial, "elsewhere/0123")
        with contextlib.suppress(TimeoutError):
            asked.result(timeout=0.5)
        assert not any(one.done() for one in (asked, looked, named))
        with serving(database, "127.0.0.1", port):
            assert asked.result(timeout=60).number == 1
            looked.result(timeout=60)
            named.result(timeout=60)
            # With the name came a heartbeat: once that is old, the trial is a dead worker's.
            age(backend(open_url(database)), trial._trial_id, seconds=90)
            ours.recover()
            assert study.get_trials()[0].state is TrialState.FAIL


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("grpc://host:13000", "host:13000"),
        ("grpc://host", "host:13000"),
        ("grpc://10.0.0.1:1/", "10.0.0.1:1"),
        ("grpc://[::1]:13000", "[::1]:13000"),
    ],
)
def test_addresses(url: str, address: str) -> None:
    assert str(ProxyAddress.parse(url)) == address


@pytest.mark.parametrize(
    "url",
    [
        "grpc://user:SECRET@host:13000",
        "grpc://user@host",
        "grpc://host:13000/studies",
        "grpc://host?password=SECRET",
        "grpc://",
        "grpc:///x",
        "grpc://host:0",
        "grpc://host:70000",
        "grpc:host",
    ],
)
def test_no_addresses(url: str) -> None:
    with pytest.raises(InputError) as error:
        url_has_tables(url)
    assert "SECRET" not in str(error.value)


def test_what_is_told_of_a_proxy_that_is_none(proxy: str) -> None:
    port = free_port()
    with pytest.raises(DatabaseError, match=r"^grpc://127.0.0.1:\d+: no storage proxy answers"):
        load_study("s", f"grpc://127.0.0.1:{port}")
    server = make_server(InMemoryStorage(), "127.0.0.1", port)
    server.start()
    with pytest.raises(DatabaseError, match="Optuna's own proxy, which keeps no heartbeats"):
        load_study("s", f"grpc://127.0.0.1:{port}")
    server.stop(None).wait()
    with pytest.raises(InputError, match="no study 's' in the database grpc://"):
        load_study("s", proxy)


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (lambda proxy: ("--storage", proxy), 2, "a proxy needs a database's own URL"),
        (lambda _: ("--storage", "x"), 2, "write postgresql+psycopg://"),
        (lambda _: ("--storage", "sqlite:////no/such/x.db"), 1, "cannot be used"),
        (
            lambda proxy: ("--storage", "sqlite:///other.db", "--port", proxy.rpartition(":")[2]),
            2,
            "taken, or no address of this machine",
        ),
    ],
)
def test_a_server_says_why_it_does_not_begin(
    tmp_path: Path, proxy: str, words: Callable[[str], tuple[str, ...]], code: int, told: str
) -> None:
    answer = execute(tmp_path, "serve-storage", *words(proxy))
    assert answer.code == code
    assert told in answer.errors
    assert len(answer.errors.splitlines()) == 1


def test_a_failure_behind_it_is_told_without_a_password(proxy: str, database: str) -> None:
    storage = open_url(proxy)
    Path(database.removeprefix("sqlite:///")).write_bytes(b"no database" * 1000)
    with pytest.raises(NasError, match="cannot be used"):
        optuna.get_all_study_names(storage)
