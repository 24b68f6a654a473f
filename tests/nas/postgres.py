"""A real PostgreSQL server, for what machines share."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..services import POSTGRESQL


@pytest.fixture(scope="session")
def postgres(pytestconfig: pytest.Config) -> Iterator[str]:
    """The URL of a database on a server of its own, on a free port of this machine."""
    programs = POSTGRESQL.require(pytestconfig)[0]
    # It refuses to be run by root, and root's temporary folders are closed to others.
    folder = Path(tempfile.mkdtemp(prefix="nas-postgres-"))
    user = "nobody" if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def call(program: str, *words: str) -> None:
        command = [str(programs / program), "-D", str(folder / "data"), *words]
        subprocess.run(command, check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL)

    # Whatever locale this machine has, or lacks.
    text = ("--encoding", "UTF8", "--locale", "C")
    call("initdb", "--auth", "trust", "--username", "nas", "--no-sync", *text)
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
    call("pg_ctl", "-w", "-o", options, "-l", str(folder / "log"), "start")
    yield f"postgresql+psycopg://nas@127.0.0.1:{port}/postgres"
    call("pg_ctl", "-m", "immediate", "stop")
    shutil.rmtree(folder)
