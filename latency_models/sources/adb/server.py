"""The adb server of this machine: attached devices, and errors of the adbutils library.

A running server is used; adbutils starts one if there is none. Its address is adb's
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

#: Timeout for requests that a healthy server or device answers at once.
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
    """The devices that the adb server lists; NasError if the server does not answer."""
    try:
        infos = within(PROMPT_SECONDS, lambda: client().list())
    except adb_errors() as error:
        raise NasError(
            f"the adb server does not answer ({reason(error)}); try `adb start-server`"
        ) from None
    return tuple(Attached(info.serial, info.state) for info in infos)


def server_runs() -> bool:
    """Whether a server runs already; listing devices would start one."""
    try:
        with socket.create_connection(_address(), timeout=1.0):
            return True
    except (OSError, UnicodeError):  # UnicodeError: an invalid host name
        return False


def client() -> AdbClient:
    """A client of adbutils, without a socket timeout, with which it loses bytes."""
    address = _address()
    from adbutils import AdbClient

    return AdbClient(*address)


def _address() -> tuple[str, int]:
    """Host and port of the server; as for adb, an empty variable is not set.

    To be called before adbutils is imported, which reads these variables at import and crashes if
    the port is not a number.
    """
    for variable in (_HOST, _PORT):
        if not os.environ.get(variable, "set"):
            del os.environ[variable]
    port = os.environ.get(_PORT, str(_DEFAULT_PORT))
    if not (port.isascii() and port.isdecimal() and 0 < int(port) < 2**16):
        raise InputError(f"{_PORT} is {port!r}; it must be a port, 1 to 65535, or not be set")
    return os.environ.get(_HOST, _DEFAULT_HOST), int(port)


def adb_errors() -> tuple[type[Exception], ...]:
    """Exceptions that adbutils raises, also if the server closes or garbles a connection."""
    _address()
    from adbutils import AdbError

    return (
        AdbError, OSError, EOFError, AssertionError, ValueError, struct.error,
        subprocess.SubprocessError,
    )  # fmt: skip


def within(seconds: float, action: Callable[[], T]) -> T:
    """``action()``; TimeoutError after ``seconds``, since adbutils may wait forever."""
    future: Future[T] = Future()

    def work() -> None:
        try:
            future.set_result(action())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return future.result(seconds)


def reason(error: BaseException) -> str:
    """The text of an error in one line, for another message."""
    return " ".join(str(error).split()) or type(error).__name__
