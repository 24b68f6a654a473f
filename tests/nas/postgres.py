"""A real PostgreSQL server, for what machines share."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ..services import POSTGRESQL


def free_port() -> int:
    """One of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class PostgresServer:
    """One of its own, in a temporary folder, on a free port of this machine."""

    programs: Path
    folder: Path
    port: int

    @classmethod
    def begin(cls, programs: Path) -> PostgresServer:
        """``programs`` is the folder of initdb and pg_ctl."""
        server = cls(programs, Path(tempfile.mkdtemp(prefix="nas-postgres-")), free_port())
        if server._user:
            shutil.chown(server.folder, server._user)
        # Whatever locale this machine has, or lacks.
        text = ("--encoding", "UTF8", "--locale", "C")
        server._call("initdb", "--auth", "trust", "--username", "nas", "--no-sync", *text)
        server.start()
        return server

    @property
    def url(self) -> str:
        """Of an empty database on it."""
        return f"postgresql+psycopg://nas@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Returns when it takes connections."""
        options = (
            f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder}"
        )
        self._call("pg_ctl", "-w", "-o", options, "-l", str(self.folder / "log"), "start")

    def stop(self) -> None:
        """As if its machine had lost power."""
        self._call("pg_ctl", "-m", "immediate", "stop")

    def end(self) -> None:
        """Stops it and removes all that it wrote."""
        self.stop()
        shutil.rmtree(self.folder)

    @property
    def _user(self) -> str | None:
        """It refuses to be run by root, and root's temporary folders are closed to others."""
        return "nobody" if os.geteuid() == 0 else None

    def _call(self, program: str, *words: str) -> None:
        command = [str(self.programs / program), "-D", str(self.folder / "data"), *words]
        subprocess.run(
            command, check=True, user=self._user, cwd=self.folder, stdout=subprocess.DEVNULL
        )


@pytest.fixture(scope="session")
def postgres_server(pytestconfig: pytest.Config) -> Iterator[PostgresServer]:
    """One for all tests of a process."""
    server = PostgresServer.begin(POSTGRESQL.require(pytestconfig)[0])
    yield server
    server.end()


@pytest.fixture
def postgres(postgres_server: PostgresServer) -> str:
    """The URL of a database on it."""
    return postgres_server.url
