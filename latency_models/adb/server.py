"""The adb server of this machine: who is attached, and what can go wrong in talking to it.

The server that runs is used, by adbutils; one is started if there is none. Its address is adb's
own: ANDROID_ADB_SERVER_PORT, or 5037.
"""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from search_spaces import NasError

if TYPE_CHECKING:
    from adbutils import AdbClient  # type: ignore[import-untyped]

T = TypeVar("T")

#: For what a healthy server and device answer at once.
PROMPT_SECONDS = 15.0
READY = "device"
_DEFAULT_PORT = 5037


@dataclass(frozen=True)
class Attached:
    """A device as the server lists it; ``state`` is ``READY`` if it can be used."""

    serial: str
    state: str


def attached() -> tuple[Attached, ...]:
    """The devices that the adb server knows; NasError if there is no server to ask."""
    try:
        infos = within(PROMPT_SECONDS, lambda: client().list())
    except adb_errors() as error:
        raise NasError(
            f"the adb server does not answer ({reason(error)}); try `adb start-server`"
        ) from None
    return tuple(Attached(info.serial, info.state) for info in infos)


def server_runs() -> bool:
    """Whether a server is there already; asking for devices would start one."""
    host = os.environ.get("ANDROID_ADB_SERVER_HOST", "127.0.0.1")
    port = int(os.environ.get("ANDROID_ADB_SERVER_PORT", _DEFAULT_PORT))
    try:
        with socket.create_connection((host, port), timeout=1.0):
            return True
    except OSError:
        return False


def client() -> AdbClient:
    """The library's own; without a time-out of its sockets, since it loses bytes with one."""
    from adbutils import AdbClient

    return AdbClient()


def adb_errors() -> tuple[type[Exception], ...]:
    """What adbutils raises: its own errors, and what a broken conversation leads its code to."""
    from adbutils import AdbError

    return (
        AdbError, OSError, EOFError, AssertionError, ValueError, struct.error,
        subprocess.SubprocessError,
    )  # fmt: skip


def within(seconds: float, action: Callable[[], T]) -> T:
    """``action()``, but TimeoutError if it takes longer; adbutils itself may wait for ever."""
    future: Future[T] = Future()

    def work() -> None:
        try:
            future.set_result(action())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return future.result(seconds)


def reason(error: BaseException) -> str:
    """An error in one line, for another's message."""
    return " ".join(str(error).split()) or type(error).__name__
