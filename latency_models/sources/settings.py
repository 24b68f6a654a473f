"""Base classes for the tables of a device.toml and for the settings of a latency source."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from ..source import LatencySource
from ..worker import Worker

#: Eleven days; a finite limit, since timers of the system cannot wait for more than some years.
_MAX_SECONDS = 1e6
PositiveSeconds = Annotated[float, Field(gt=0, le=_MAX_SECONDS)]
NonNegativeSeconds = Annotated[float, Field(ge=0, le=_MAX_SECONDS)]


class SettingsTable(BaseModel):
    """A table of a device.toml: immutable, with strict types and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


@dataclass(frozen=True)
class SourcePlace:
    """What a source needs to be opened, in addition to its settings."""

    #: name of the device
    name: str
    #: the folder that contains device.toml and the tables that it names
    folder: Traversable
    #: the process in which compilers and interpreters run
    worker: Worker


class SourceSettings(SettingsTable):
    """Settings of a latency source: the table ``[settings]`` of a device.toml."""

    #: whether times are measured on the device itself, rather than estimated
    measures: ClassVar[bool] = False
    #: whether times are predicted by a regression
    predicts: ClassVar[bool] = False

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the files beside device.toml that latencies depend on."""
        return ()

    def compiler(self) -> str | None:
        """Returns name and version of the estimating compiler, as in ``Latency.source``.

        Returns None if no compiler is used; NasError if it is missing. Nothing is compiled.
        """
        return None

    @abstractmethod
    def open(self, place: SourcePlace) -> LatencySource:
        """Returns the source; NasError if it cannot start. It does not contact the device yet."""
