"""The adb server of this machine: who is attached, and what can go wrong in talking to it.

The server that runs is used, by adbutils; one is started if there is none. Its address is adb's
own: ANDROID_ADB_SERVER_HOST and ANDROID_ADB_SERVER_PORT, or port 5037 of this machine.
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

from search_spaces import InputError, NasError

if TYPE_CHECKING:
    from adbutils import AdbClient  # type: ignore[import-untyped]

T = TypeVar("T")

#: For what a healthy server and device answer at once.
PROMPT_SECONDS = 15.0
READY = "device"
_HOST, _DEFAULT_HOST = "ANDROID_ADB_SERVER_HOST", "127.0.0.1"
_PORT, _DEFAULT_PORT = "ANDROID_ADB_SERVER_PORT", 5037


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
    try:
        with socket.create_connection(_address(), timeout=1.0):
            return True
    except (OSError, UnicodeError):  # the latter of a host's name that is none
        return False


def client() -> AdbClient:
    """The library's own; without a time-out of its sockets, since it loses bytes with one."""
    address = _address()
    from adbutils import AdbClient

    return AdbClient(*address)


def _address() -> tuple[str, int]:
    """Host and port, as adb itself reads them: what is empty is not set.

    To be called before adbutils is imported, which looks at these variables then, and falls over
    what is no number.
    """
    for variable in (_HOST, _PORT):
        if not os.environ.get(variable, "set"):
            del os.environ[variable]
    port = os.environ.get(_PORT, str(_DEFAULT_PORT))
    if not (port.isascii() and port.isdecimal() and 0 < int(port) < 2**16):
        raise InputError(f"{_PORT} is {port!r}; it must be a port, 1 to 65535, or not be set")
    return os.environ.get(_HOST, _DEFAULT_HOST), int(port)


def adb_errors() -> tuple[type[Exception], ...]:
    """What adbutils raises: its own errors, and what a broken conversation leads its code to."""
    _address()
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
