"""A study that machines share, in a real PostgreSQL server."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..commands import QUICK, SMALL, run, run_json, start

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
pytestmark = pytest.mark.skipif(not BINARIES, reason="needs Debian's package postgresql")
OPTIONS = (*SMALL, *QUICK, "--no-baselines", "--sampler", "random")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of its own, on a free port of this machine."""
    pytest.importorskip("psycopg")
    # It refuses to be run by root, and root's temporary folders are closed to others.
    folder = Path(tempfile.mkdtemp(prefix="nas-postgres-"))
    user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    if os.geteuid() == 0:
        shutil.chown(folder, user)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def postgres(program: str, *words: str) -> None:
        command = [str(BINARIES[-1] / program), "-D", str(folder / "data"), *words]
        subprocess.run(command, check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL)

    postgres("initdb", "--auth", "trust", "--username", "nas", "--no-sync")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
    postgres("pg_ctl", "-w", "-o", options, "-l", str(folder / "log"), "start")
    yield f"postgresql+psycopg://nas@127.0.0.1:{port}/postgres"
    postgres("pg_ctl", "-m", "immediate", "stop")
    shutil.rmtree(folder)


def test_workers_on_two_machines_share_one_budget(url: str, tmp_path: Path) -> None:
    """Two folders stand for two machines: they share nothing but the database."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    shared = ("--storage", url, "--study", "p")
    first = start(here, "search", *shared, "--budget", "4", *OPTIONS)
    while "study p:" not in (first.stderr.readline() if first.stderr else "study p:"):
        assert first.poll() is None
    second = start(there, "worker", *shared)
    messages = [process.communicate(timeout=600)[1] for process in (first, second)]
    print(*messages)
    assert (first.returncode, second.returncode) == (0, 0)
    answer = run_json(here, "status", "p", "--storage", url)
    assert answer["trained"] == 4
    assert answer["running"] == 0
    models = [len(list(place.glob("studies/p/models/*"))) for place in (here, there)]
    assert sum(models) == 4
    assert run(here, "pareto", "p", "--storage", url)
