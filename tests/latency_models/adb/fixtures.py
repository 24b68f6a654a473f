"""A private adb server, and devices on loopback that it may be asked for."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from latency_models.device import Device, load_device
from latency_models.sources.adb.settings import AdbSettings

from .double import DeviceDouble

Plugged = Callable[..., DeviceDouble]


@pytest.fixture(scope="session")
def adb_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a server of our own, with keys of its own: the user's is left alone."""
    from adbutils import adb_path  # type: ignore[import-untyped]

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    home = tmp_path_factory.mktemp("adb")
    own = {"HOME": str(home), "ANDROID_ADB_SERVER_PORT": str(port), "ADB_MDNS_OPENSCREEN": "0"}
    process = subprocess.Popen(
        [adb_path(), "-P", str(port), "server", "nodaemon"],
        env={**os.environ, **own},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert process.poll() is None, "the adb server ended"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("the adb server does not answer")


@pytest.fixture
def private_adb(adb_server: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """This process, and those that it starts, use the private server, and leave nothing behind."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(adb_server))
    monkeypatch.delenv("ANDROID_ADB_SERVER_HOST", raising=False)


@pytest.fixture
def plugged(adb_server: int, private_adb: None, tmp_path: Path) -> Iterator[Plugged]:
    """Makes a device; each has its port and its files."""
    from adbutils import AdbClient

    doubles: list[DeviceDouble] = []

    def make(features: str = "shell_v2,cmd,stat_v2") -> DeviceDouble:
        doubles.append(DeviceDouble(tmp_path / f"device{len(doubles)}", features))
        return doubles[-1]

    yield make
    for double in doubles:
        double.unplug()
        # Else the server keeps calling it up.
        AdbClient(port=adb_server).disconnect(double.serial)


@pytest.fixture
def board_device(board: DeviceDouble) -> Device:
    """The board as adb:SERIAL gives it, with few runs.

    What else this machine does is no drift of a device.
    """
    device = load_device(f"adb:{board.serial}")
    settings = device.settings
    assert isinstance(settings, AdbSettings)
    runner = settings.runner.model_copy(update={"warmup_runs": 1, "runs": 3, "profile_runs": 1})
    quick = settings.model_copy(update={"runner": runner, "drift_percent": 1e6})
    return device.model_copy(update={"settings": quick})


@pytest.fixture
def board(plugged: Plugged) -> DeviceDouble:
    """A device with a benchmark_model that takes every model whole."""
    double = plugged()
    double.install()
    return double
