"""Errors of devices over adb, with the output of the tool that ran there."""

from __future__ import annotations

from collections.abc import Iterable

from ...source import LatencyError, UnsupportedOperators

_QUOTED = 160


class DeviceError(LatencyError):
    """A failed measurement; ``text`` is the tool's output, of which the message quotes a line."""

    def __init__(self, message: str, text: str = "") -> None:
        quoted = _telling_line(text)
        super().__init__(f"{message}; the tool said {quoted!r}" if quoted else message)
        self.text = text

    def about(self, what: str) -> None:
        """Puts the model or the device before the message."""
        self.args = (f"{what}: {self}",)


class DeviceLost(DeviceError):
    """The device did not answer, or vanished during a command."""


class OperatorsOnCpu(DeviceError, UnsupportedOperators):
    """The accelerator left essential operators to the CPU, so that the time is not its own."""

    def __init__(self, message: str, text: str, kinds: Iterable[str]) -> None:
        super().__init__(message, text)
        self.kinds = tuple(sorted(kinds))


def _telling_line(text: str) -> str:
    """The last line with the word error, or else the last line; shortened."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    line = (errors or lines or [""])[-1]
    return line if len(line) <= _QUOTED else f"{line[:_QUOTED]}..."
