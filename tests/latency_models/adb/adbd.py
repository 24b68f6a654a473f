"""The device's end of adb, on loopback: what a real adb server needs to take it for a device.

Messages, streams, and the services shell (with and without exit codes), exec and sync, after AOSP's
packages/modules/adb: protocol.txt, SYNC.TXT and shell_protocol.h. No keys, no encryption.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

_VERSION, _MOST_DATA = 0x01000001, 256 * 1024
_HEADER = struct.Struct("<6I")
_STDOUT, _EXIT = 1, 3


class Machine(Protocol):
    """What the daemon gives access to."""

    @property
    def banner(self) -> str:
        """The properties that the device introduces itself with."""

    def place(self, path: str) -> Path:
        """Where a path of the device is on this machine."""

    def start(self, command: str) -> subprocess.Popen[bytes]:
        """A shell with ``command``, in a process group of its own; errors go to its output."""

    def shown(self, output: bytes) -> bytes:
        """Output with the device's own paths in it."""

    def delivered(self, output: bytes) -> None:
        """The adb server has it."""


@dataclass
class _Stream:
    """One conversation within a connection; each packet is acknowledged before the next."""

    wire: _Wire
    own: int
    peer: int
    received: queue.Queue[bytes | None] = field(default_factory=queue.Queue)
    acknowledged: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    closed: threading.Event = field(default_factory=threading.Event)
    rest: bytes = b""

    def write(self, data: bytes) -> None:
        for start in range(0, len(data), _MOST_DATA):
            if self.closed.is_set():
                raise EOFError
            self.wire.send(b"WRTE", self.own, self.peer, data[start : start + _MOST_DATA])
            self.acknowledged.acquire()

    def read(self, size: int) -> bytes:
        while len(self.rest) < size:
            data = self.received.get()
            if data is None:
                raise EOFError
            self.rest += data
        data, self.rest = self.rest[:size], self.rest[size:]
        return data

    def end(self) -> None:
        """The other side is gone; whoever waits on this stream wakes up."""
        self.closed.set()
        self.received.put(None)
        self.acknowledged.release()


class _Wire:
    """One connection of the adb server."""

    def __init__(self, connection: socket.socket, machine: Machine) -> None:
        self._socket = connection
        self._machine = machine
        self._sending = threading.Lock()
        self._streams: dict[int, _Stream] = {}

    def send(self, command: bytes, first: int, second: int, data: bytes = b"") -> None:
        word = int.from_bytes(command, "little")
        checksum = sum(data) & 0xFFFFFFFF
        header = _HEADER.pack(word, first, second, len(data), checksum, word ^ 0xFFFFFFFF)
        with self._sending, contextlib.suppress(OSError):
            self._socket.sendall(header + data)

    def serve(self) -> None:
        """Answers until the connection ends."""
        with contextlib.suppress(EOFError, OSError):
            while True:
                word, first, second, size, _, _ = _HEADER.unpack(self._receive(_HEADER.size))
                self._answer(word.to_bytes(4, "little"), first, second, self._receive(size))
        for stream in self._streams.values():
            stream.end()
        self._socket.close()

    def hang_up(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def _receive(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            chunk = self._socket.recv(size - len(data))
            if not chunk:
                raise EOFError
            data += chunk
        return data

    def _answer(self, command: bytes, first: int, second: int, data: bytes) -> None:
        stream = self._streams.get(second)
        if command == b"CNXN":
            self.send(b"CNXN", _VERSION, _MOST_DATA, self._machine.banner.encode())
        elif command == b"OPEN":
            stream = _Stream(self, len(self._streams) + 1, first)
            self._streams[stream.own] = stream
            service = data.rstrip(b"\0").decode()
            threading.Thread(target=self._serve, args=(stream, service), daemon=True).start()
        elif command == b"WRTE" and stream:
            stream.received.put(data)
            self.send(b"OKAY", stream.own, stream.peer)
        elif command == b"OKAY" and stream:
            stream.acknowledged.release()
        elif command == b"CLSE" and stream:
            stream.end()

    def _serve(self, stream: _Stream, service: str) -> None:
        kind, _, rest = service.partition(":")
        with contextlib.suppress(EOFError, OSError):
            if kind in ("shell", "exec", "shell,v2", "shell,v2,raw"):
                self.send(b"OKAY", stream.own, stream.peer)
                _shell(stream, self._machine, rest, coded="v2" in kind)
            elif kind == "sync":
                self.send(b"OKAY", stream.own, stream.peer)
                _sync(stream, self._machine)
        self.send(b"CLSE", stream.own, stream.peer)


def _shell(stream: _Stream, machine: Machine, command: str, *, coded: bool) -> None:
    process = machine.start(command)
    threading.Thread(target=_kill_with, args=(stream, process), daemon=True).start()
    assert process.stdout
    while output := os.read(process.stdout.fileno(), 65536):
        output = machine.shown(output)
        stream.write(struct.pack("<BI", _STDOUT, len(output)) + output if coded else output)
        machine.delivered(output)
    code = process.wait()
    if coded:
        stream.write(struct.pack("<BIB", _EXIT, 1, code if code >= 0 else 128 - code))
    stream.closed.set()


def _kill_with(stream: _Stream, process: subprocess.Popen[bytes]) -> None:
    stream.closed.wait()
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _sync(stream: _Stream, machine: Machine) -> None:
    while True:
        request, size = struct.unpack("<4sI", stream.read(8))
        name = stream.read(size).decode()
        if request == b"STAT":
            stream.write(b"STAT" + struct.pack("<III", *_stat(machine.place(name))))
        elif request == b"LIST":
            for entry in _entries(machine.place(name)):
                stream.write(entry)
            stream.write(b"DONE" + bytes(16))
        elif request == b"RECV":
            _give(stream, machine.place(name))
        elif request == b"SEND":
            path, _, mode = name.rpartition(",")
            _take(stream, machine.place(path), int(mode) & 0o777)
        else:  # QUIT
            return


def _stat(path: Path) -> tuple[int, int, int]:
    try:
        found = path.lstat()
    except OSError:
        return 0, 0, 0
    return found.st_mode, found.st_size, int(found.st_mtime)


def _entries(folder: Path) -> Iterator[bytes]:
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        name = path.name.encode()
        yield b"DENT" + struct.pack("<IIII", *_stat(path), len(name)) + name


def _give(stream: _Stream, path: Path) -> None:
    try:
        data = path.read_bytes()
    except OSError as error:
        _fail(stream, error)
        return
    for start in range(0, len(data), 65536):
        chunk = data[start : start + 65536]
        stream.write(b"DATA" + struct.pack("<I", len(chunk)) + chunk)
    stream.write(b"DONE" + bytes(4))


def _take(stream: _Stream, path: Path, mode: int) -> None:
    data = b""
    while True:
        part, size = struct.unpack("<4sI", stream.read(8))
        if part == b"DONE":
            break
        data += stream.read(size)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(mode)
    except OSError as error:
        _fail(stream, error)
        return
    stream.write(b"OKAY" + bytes(4))


def _fail(stream: _Stream, error: OSError) -> None:
    reason = (error.strerror or "failed").encode()
    stream.write(b"FAIL" + struct.pack("<I", len(reason)) + reason)


class Daemon:
    """Listens on a port of loopback that it keeps, plugged or not."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._wires: list[_Wire] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._listen()

    def plug(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._listen()

    def unplug(self) -> None:
        """Every connection breaks, and what runs in its shells is killed."""
        # shutdown wakes the thread that accepts; close alone does not
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for wire in self._wires:
            wire.hang_up()
        self._wires.clear()

    def _listen(self) -> None:
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                wire = _Wire(connection, self._machine)
                self._wires.append(wire)
                threading.Thread(target=wire.serve, daemon=True).start()
