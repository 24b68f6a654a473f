"""A connection to one device over adb: file transfer, commands with a timeout, reconnection."""

from __future__ import annotations

import contextlib
import shlex
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import DeviceAway, DeviceError, DeviceLost
from .server import PROMPT_SECONDS, READY, adb_errors, attached, call_within, client, error_text

if TYPE_CHECKING:
    from adbutils import AdbConnection, AdbDevice  # type: ignore[import-untyped]

_POLL_SECONDS = 0.25
#: Longest wait for a device that was never seen; short, so that a wrong serial is reported soon.
_FIRST_SECONDS = 5.0
#: Packet types of adb's shell protocol, version 2.
_STDOUT, _STDERR, _EXIT = 1, 2, 3
#: Timeout for reading a file of the device, whose size is unknown.
_TRANSFER_SECONDS = 300.0
#: Precedes the exit code in the output of adb daemons that do not report it (before Android 7).
_EXIT_MARK = "\nNAS-EXIT:"


@dataclass(frozen=True)
class ToolOutput:
    """Output of a command, including standard error, and its exit code."""

    text: str
    code: int


class Connection:
    """A connection to the device ``serial``; None: the only one attached. Not thread-safe.

    If the device vanishes, the connection waits up to ``reconnect_seconds`` for its return.
    """

    def __init__(self, serial: str | None, reconnect_seconds: float) -> None:
        self._serial = serial
        self._reconnect_seconds = reconnect_seconds
        self._seen = False

    @property
    def serial(self) -> str:
        """The serial number; DeviceLost if none was given and not one single device is attached."""
        if self._serial is None:
            devices = attached()
            if len(devices) != 1:
                listed = ", ".join(device.serial for device in devices) or "none"
                raise DeviceLost(
                    f"one device must be attached where device.toml gives no serial; adb has "
                    f"{listed}"
                )
            self._serial = devices[0].serial
        return self._serial

    def wait(self) -> float:
        """Waits until the device answers; returns the seconds. DeviceAway if it does not answer."""
        start = time.monotonic()
        patience = self._reconnect_seconds
        if not self._seen:
            patience = min(patience, _FIRST_SECONDS)
        while (state := self._state()) != READY or not self._answers():
            if time.monotonic() - start > patience:
                raise DeviceAway(
                    f"device {self.serial} is {state}, for {patience:g} s; plug it in, accept "
                    "this computer's key on its screen, until `adb devices` lists it as 'device'"
                )
            if ":" in self.serial and state != READY:
                self._reconnect()
            time.sleep(_POLL_SECONDS)
        self._seen = True
        return time.monotonic() - start

    def run(self, command: str, timeout_seconds: float) -> ToolOutput:
        """Runs ``command`` in the device's shell.

        DeviceLost if the device vanishes, DeviceError after ``timeout_seconds``; both carry the
        output until then.
        """
        output = bytearray()
        deadline = time.monotonic() + timeout_seconds
        try:
            code = self._shell(command, output, deadline)
        except adb_errors() as error:
            text = output.decode(errors="replace")
            if time.monotonic() >= deadline:
                raise DeviceError(f"no end within {timeout_seconds:g} s; stopped", text) from None
            raise DeviceLost(
                f"device {self.serial} vanished over a command ({error_text(error)})", text
            ) from None
        text = output.decode(errors="replace")
        if code is not None:
            return ToolOutput(text, code)
        text, mark, digits = text.rpartition(_EXIT_MARK)
        if not (mark and digits.strip().isdecimal()):
            raise DeviceLost(f"device {self.serial} vanished over a command", text or digits)
        return ToolOutput(text, int(digits))

    @contextlib.contextmanager
    def temporary_file(self, data: bytes, folder: str, suffix: str) -> Iterator[str]:
        """Writes ``data`` to a file in a new folder on the device, and removes both afterwards.

        Yields the path. If the device vanishes meanwhile, waits until it is back, so that the next
        file can be written, and raises DeviceLost, or DeviceAway if it does not return.
        """
        own_folder = f"{folder}/nas-{uuid.uuid4().hex}"
        path = f"{own_folder}/model{suffix}"
        try:
            self.push(data, path)
            yield path
        except DeviceLost as lost:
            try:
                seconds = self.wait()
            except DeviceAway as away:
                raise DeviceAway(f"{lost}; {away}", lost.text) from None
            raise DeviceLost(f"{lost}; it was back after {seconds:.0f} s", lost.text) from None
        finally:
            with contextlib.suppress(DeviceError):
                self.run(f"rm -rf {shlex.quote(own_folder)}", PROMPT_SECONDS)

    def pull(self, path: str) -> bytes:
        """Reads a file of the device; DeviceError if there is none."""
        seconds = PROMPT_SECONDS + _TRANSFER_SECONDS
        try:
            return bytes(call_within(seconds, lambda: self._device().sync.read_bytes(path)))
        except adb_errors() as error:
            if self._state() == READY and self._answers():
                raise DeviceError(
                    f"{path} cannot be read from device {self.serial} ({error_text(error)})"
                ) from None
            raise DeviceLost(
                f"device {self.serial} vanished over the transfer of a file ({error_text(error)})"
            ) from None

    def push(self, data: bytes, path: str) -> None:
        """Writes a file on the device; DeviceError if it cannot be written."""
        seconds = PROMPT_SECONDS + len(data) / 1e5
        try:
            call_within(seconds, lambda: self._device().sync.push(data, path, 0o644, check=True))
        except adb_errors() as error:
            if self._state() == READY and self._answers():
                raise DeviceError(
                    f"{path} cannot be written to device {self.serial} ({error_text(error)}); "
                    "make room there, or name another folder in device.toml"
                ) from None
            raise DeviceLost(
                f"device {self.serial} vanished over the transfer of a model ({error_text(error)})"
            ) from None

    def _shell(self, command: str, output: bytearray, deadline: float) -> int | None:
        """Runs a command, appends to ``output``, and returns the exit code.

        Returns None if the device's daemon does not report it.
        """
        features = call_within(PROMPT_SECONDS, self._device().get_features).split(",")
        if "shell_v2" not in features:
            service = f"shell:( {command}\n) 2>&1; echo {shlex.quote(_EXIT_MARK)}$?"
            with self._open_service(service, deadline) as stream:
                while chunk := stream.conn.recv(65536):
                    output += chunk
                    stream.conn.settimeout(_seconds_left(deadline))
            return None
        with self._open_service(f"shell,v2:{command}", deadline) as stream:
            while True:
                header = stream.read_exact(5)
                data = stream.read_exact(int.from_bytes(header[1:], "little"))
                if header[0] in (_STDOUT, _STDERR):
                    output += data
                elif header[0] == _EXIT:
                    return int(data[0])
                stream.conn.settimeout(_seconds_left(deadline))

    @contextlib.contextmanager
    def _open_service(self, service: str, deadline: float) -> Iterator[AdbConnection]:
        stream = call_within(PROMPT_SECONDS, self._device().open_transport)
        try:
            stream.conn.settimeout(_seconds_left(deadline))
            stream.send_command(service)
            stream.check_okay()
            yield stream
        finally:
            stream.close()

    def _state(self) -> str:
        states = {device.serial: device.state for device in attached()}
        return states.get(self.serial, "not attached")

    def _answers(self) -> bool:
        """Whether the device runs a command; one that has just vanished may still be listed."""
        try:
            return self.run("true", PROMPT_SECONDS).code == 0
        except DeviceError:
            return False

    def _reconnect(self) -> None:
        """Reconnects a device on the network, which adb does not do by itself."""
        with contextlib.suppress(*adb_errors()):
            call_within(PROMPT_SECONDS, lambda: client().disconnect(self.serial))
            call_within(PROMPT_SECONDS, lambda: client().connect(self.serial, timeout=2.0))

    def _device(self) -> AdbDevice:
        return client().device(self.serial)


def _seconds_left(deadline: float) -> float:
    """Returns the seconds until ``deadline``, for a socket timeout; never 0 (non-blocking)."""
    return max(0.001, deadline - time.monotonic())
