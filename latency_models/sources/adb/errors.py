"""Errors of devices over adb, with the output of the tool that ran there."""

from __future__ import annotations

from collections.abc import Iterable

from ...source import LatencyError, SourceGone, UnsupportedOperators

_MAX_QUOTED_CHARACTERS = 160


class DeviceError(LatencyError):
    """A failed measurement; ``text`` is the tool's output, and the message quotes a line of it."""

    def __init__(self, message: str, text: str = "") -> None:
        quoted = _informative_line(text)
        super().__init__(f"{message}; the tool said {quoted!r}" if quoted else message)
        self.text = text

    def prepend_subject(self, what: str) -> None:
        """Prepends the name of the model or the device to the message."""
        self.args = (f"{what}: {self}",)


class DeviceLost(DeviceError):
    """The device did not answer, or vanished during a command."""


class DeviceAway(DeviceLost, SourceGone):
    """The device did not answer for as long as the connection waits for its return."""


class OperatorsOnCpu(DeviceError, UnsupportedOperators):
    """The accelerator left essential operators to the CPU: the time is not the accelerator's."""

    def __init__(self, message: str, text: str, kinds: Iterable[str]) -> None:
        super().__init__(message, text)
        self.kinds = tuple(sorted(kinds))


def _informative_line(text: str) -> str:
    """Returns the last line with the word error, or else the last line; shortened."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    line = (errors or lines or [""])[-1]
    return line if len(line) <= _MAX_QUOTED_CHARACTERS else f"{line[:_MAX_QUOTED_CHARACTERS]}..."
