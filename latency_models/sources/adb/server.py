"""The adb server of this machine: attached devices, and errors of the adbutils library.

If no server runs, adbutils starts one. The server's address is the one that adb itself uses:
ANDROID_ADB_SERVER_HOST and ANDROID_ADB_SERVER_PORT, or port 5037 of this machine.
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
#: State of a device that can be used.
READY = "device"
_HOST_VARIABLE, _DEFAULT_HOST = "ANDROID_ADB_SERVER_HOST", "127.0.0.1"
_PORT_VARIABLE, _DEFAULT_PORT = "ANDROID_ADB_SERVER_PORT", 5037


@dataclass(frozen=True)
class Attached:
    """A device as the server lists it; ``state`` is ``READY`` if it can be used."""

    serial: str
    state: str


def attached() -> tuple[Attached, ...]:
    """Returns the devices that the adb server lists; NasError if the server does not answer."""
    try:
        infos = call_within(PROMPT_SECONDS, lambda: client().list())
    except adb_errors() as error:
        raise NasError(
            f"the adb server does not answer ({error_text(error)}); try `adb start-server`"
        ) from None
    return tuple(Attached(info.serial, info.state) for info in infos)


def server_runs() -> bool:
    """Whether a server is running; unlike listing devices, this check does not start one."""
    try:
        with socket.create_connection(_address(), timeout=1.0):
            return True
    except (OSError, UnicodeError):  # UnicodeError: an invalid host name
        return False


def client() -> AdbClient:
    """Returns an adbutils client without a socket timeout; with a timeout, adbutils loses bytes."""
    address = _address()
    from adbutils import AdbClient

    return AdbClient(*address)


def _address() -> tuple[str, int]:
    """Returns host and port of the server; as in adb, an empty variable counts as not set.

    Must be called before adbutils is imported, which reads these variables at import and crashes if
    the port is not a number.
    """
    for variable in (_HOST_VARIABLE, _PORT_VARIABLE):
        if not os.environ.get(variable, "set"):
            del os.environ[variable]
    port = os.environ.get(_PORT_VARIABLE, str(_DEFAULT_PORT))
    if not (port.isascii() and port.isdecimal() and 0 < int(port) < 2**16):
        raise InputError(
            f"{_PORT_VARIABLE} is {port!r}; it must be a port, 1 to 65535, or not be set"
        )
    return os.environ.get(_HOST_VARIABLE, _DEFAULT_HOST), int(port)


def adb_errors() -> tuple[type[Exception], ...]:
    """Returns the exceptions of adbutils, including those for closed or garbled connections."""
    _address()
    from adbutils import AdbError

    return (
        AdbError, OSError, EOFError, AssertionError, ValueError, struct.error,
        subprocess.SubprocessError,
    )  # fmt: skip


def call_within(seconds: float, action: Callable[[], T]) -> T:
    """Returns ``action()``; TimeoutError after ``seconds``, since adbutils may wait forever."""
    future: Future[T] = Future()

    def run_action() -> None:
        try:
            future.set_result(action())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run_action, daemon=True).start()
    return future.result(seconds)


def error_text(error: BaseException) -> str:
    """Returns the text of an error on one line, for use in another message."""
    return " ".join(str(error).split()) or type(error).__name__
