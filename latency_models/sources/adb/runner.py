"""The interface of programs that time models on the device."""

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
    """Statistics of one call of the tool, and its output."""

    statistics: RunStatistics
    text: str


@dataclass(frozen=True)
class Program:
    """A program on the device.

    ``prefix`` precedes it in the command, such as ``LD_LIBRARY_PATH=/vendor/lib64 taskset f0``;
    ``folder`` is the folder on the device for models.
    """

    path: str
    prefix: str
    folder: str
    timeout_seconds: float

    def call(self, connection: Connection, arguments: str) -> ToolOutput:
        """Runs the program with ``arguments``; DeviceError, with its output, if it fails."""
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

    #: suffix of the model files that the program reads
    suffix: str
    program: Program

    @property
    @abc.abstractmethod
    def title(self) -> str:
        """The program and its engine, for ``Latency.source``."""

    @abc.abstractmethod
    def prepare(self, tflite: bytes) -> bytes:
        """Makes the file for the device from a TFLite file."""

    @abc.abstractmethod
    def time(self, connection: Connection, path: str) -> TimedRun:
        """Warms up and times the model at ``path``; DeviceError if that fails."""

    @abc.abstractmethod
    def place(
        self, connection: Connection, path: str, run: TimedRun, operators: Sequence[LoweredOperator]
    ) -> Placement:
        """Returns engine and time of each operator; the times add up to that of the run.

        DeviceError if the time is not that of the accelerator.
        """

    def run(self, connection: Connection, path: str, model: TfliteModel, image: bytes) -> bytes:
        """Runs the model at ``path`` on ``image``; returns the bytes of its outputs in order.

        ``model`` describes the file at ``path``. The program may leave files in the folder of
        ``path``, which is removed afterwards. DeviceError if the program cannot read an image or
        write outputs, or if the outputs are not those of the accelerator.
        """
        raise DeviceError(f"{self.title} can neither read an image nor write its outputs")
