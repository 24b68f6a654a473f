"""Base classes of the tables of a device.toml, and of a source's settings."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from ..source import LatencySource
from ..worker import Worker

#: Eleven days, and no infinity: the system's clocks and timers take no more than some years.
_MOST_SECONDS = 1e6
PositiveSeconds = Annotated[float, Field(gt=0, le=_MOST_SECONDS)]
NonNegativeSeconds = Annotated[float, Field(ge=0, le=_MOST_SECONDS)]


class SettingsTable(BaseModel):
    """A table as written: no unknown key, no value of another type, never changed afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


@dataclass(frozen=True)
class SourcePlace:
    """What a source needs to be opened, in addition to its settings."""

    #: of the device
    name: str
    #: where device.toml lies, and tables beside it
    folder: Traversable
    #: the process in which compilers and interpreters run
    worker: Worker


class SourceSettings(SettingsTable):
    """Settings of a latency source: the table ``[settings]`` of a device.toml."""

    #: its times are those of the device itself, not of a compiler or a model of it
    measures: ClassVar[bool] = False
    #: its times are those of a regression
    predicts: ClassVar[bool] = False

    @property
    def tables(self) -> tuple[str, ...]:
        """Files beside device.toml that latencies rest on."""
        return ()

    def compiler(self) -> str | None:
        """The compiler that tells the times, with its version, as each latency's ``source``.

        Nothing is compiled to know it. None where no compiler does; NasError if it is missing.
        """
        return None

    @abstractmethod
    def open(self, place: SourcePlace) -> LatencySource:
        """The source; NasError if it cannot start. No device is asked for anything yet."""
