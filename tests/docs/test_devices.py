"""The pages that need a board or a server: both are there, on loopback."""

from __future__ import annotations

import json

from ..latency_models.adb.double import DeviceDouble
from ..latency_models.adb.fixtures import adb_server, board, plugged, private_adb
from ..nas.postgres import postgres, postgres_server
from .pages import ROOT
from .reader import Reader

__all__ = ["adb_server", "board", "plugged", "postgres", "postgres_server", "private_adb"]

DOCS = ROOT / "docs"


def test_your_own_space(reader: Reader) -> None:
    reader.follow(DOCS / "your-space.md")
    card = next(reader.folder.glob("studies/mine/pareto/*.json"))
    assert json.loads(card.read_text())


def test_your_own_device(reader: Reader, board: DeviceDouble) -> None:
    board.install("--us=5000")
    Reader(reader.folder, {"0123456789ABCDEF": board.serial}).follow(DOCS / "your-device.md")
    assert (reader.folder / "board-model/README.md").exists()


def test_a_vela_configuration(reader: Reader) -> None:
    reader.follow(DOCS / "vela-devices.md")
    assert (reader.folder / "my-board/README.md").exists()


def test_many_machines(reader: Reader, postgres: str) -> None:
    real = {"postgresql+psycopg://user@host/studies": postgres}
    Reader(reader.folder, real).follow(DOCS / "many-machines.md")
