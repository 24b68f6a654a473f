"""What every program that times a model on the device can be asked for."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass

from search_spaces import LoweredOperator

from ...tflite.requests import TfliteModel
from .connection import Connection, ToolOutput
from .errors import DeviceError
from .placement import Placement
from .statistics import RunStatistics

#: Exit codes of a shell that cannot start a program.
_NOT_EXECUTABLE, _NOT_FOUND = 126, 127


@dataclass(frozen=True)
class TimedRun:
    """One call of the tool that gave a time, and all that it printed."""

    statistics: RunStatistics
    text: str


@dataclass(frozen=True)
class Program:
    """A program on the device.

    ``prefix`` stands before it in the command, as ``LD_LIBRARY_PATH=/vendor/lib64 taskset f0``;
    ``folder`` is where it finds models.
    """

    path: str
    prefix: str
    folder: str
    timeout_seconds: float

    def call(self, connection: Connection, arguments: str) -> ToolOutput:
        """Runs it; DeviceError, with what it printed, if it fails."""
        command = " ".join(part for part in (self.prefix, self.path, arguments) if part)
        output = connection.run(command, self.timeout_seconds)
        if output.code in (_NOT_EXECUTABLE, _NOT_FOUND):
            raise DeviceError(
                f"{self.path} cannot be started on device {connection.serial}; push it there with "
                "`adb push`, and make it executable with `adb shell chmod +x`",
                output.text,
            )
        if output.code != 0:
            raise DeviceError(f"{self.path} ended with exit code {output.code}", output.text)
        return output


class Runner(abc.ABC):
    """Times models with one program, in one configuration."""

    #: ending of the model files that it takes
    suffix: str
    program: Program

    @property
    @abc.abstractmethod
    def title(self) -> str:
        """For ``Latency.source``: the program and what it runs models on."""

    @abc.abstractmethod
    def prepare(self, tflite: bytes) -> bytes:
        """The file for the device, made from a TFLite file."""

    @abc.abstractmethod
    def time(self, connection: Connection, path: str) -> TimedRun:
        """Warms up and times the model at ``path``; DeviceError if that gave no time."""

    @abc.abstractmethod
    def place(
        self, connection: Connection, path: str, run: TimedRun, operators: Sequence[LoweredOperator]
    ) -> Placement:
        """Where each operator ran, in rows that add up to the run's time.

        DeviceError if the time is none of the accelerator.
        """

    def run(self, connection: Connection, path: str, model: TfliteModel, image: bytes) -> bytes:
        """The bytes of the outputs of the model at ``path``, read from ``model``, for ``image``.

        Files beside ``path`` are cleared away with it. DeviceError where the program takes no image
        or writes no outputs, or if they are none of the accelerator.
        """
        raise DeviceError(f"{self.title} neither takes an image nor writes what it makes of one")
