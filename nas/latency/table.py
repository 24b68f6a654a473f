"""The table of measurements of one device, input and space; one process writes it at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from latency_models.device import Device
from latency_models.sources.regression import Measurement, MeasurementOrigin, write_measurements
from latency_models.sources.regression.known import Known
from latency_models.sources.regression.settings import TABLE, RegressionSettings
from latency_models.sources.regression.source import read_table
from search_spaces import InputError, LoweredOperator

from ..system.files import write_text
from ..system.locks import alone


@dataclass(frozen=True)
class CollectedTable:
    """The table of measurements in ``folder``, all of the same ``origin``."""

    folder: Path
    origin: MeasurementOrigin

    @property
    def path(self) -> Path:
        return self.folder / TABLE

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Returns a context in which no other process writes the table.

        Raises InputError if another one is writing it, or if the table is of another device, input
        or space.
        """
        self.rows()
        with alone(self.folder, "measuring"):
            yield

    def rows(self) -> tuple[Measurement, ...]:
        """Reads all rows; InputError if they are of another device, input or space."""
        if not self.path.exists():
            return ()
        rows = read_table(self.path)
        for row in rows:
            if row.origin is not None and (difference := row.origin.difference(self.origin)):
                raise InputError(
                    f"{self.path}: holds measurements of {difference}; name another folder by --out"
                )
        return rows

    def write(self, rows: Sequence[Measurement]) -> None:
        """Replaces the contents of the table by ``rows``."""
        write_text(self.path, write_measurements(rows))


@dataclass(frozen=True)
class Networks:
    """A set of measured networks, which are recognized by name or by operators."""

    names: frozenset[str]
    known: Known

    @classmethod
    def of(cls, rows: Sequence[Measurement]) -> Networks:
        """Returns the networks of ``rows``."""
        names = frozenset(name for row in rows for name in (row.name, row.network))
        return cls(names, Known.of(rows))

    def contains(self, name: str, operators: Sequence[LoweredOperator]) -> bool:
        """Returns whether the network is in this set, by its name or by its operators."""
        return name in self.names or bool(self.known.measured(operators))


NO_NETWORKS = Networks.of(())


def require_own_times(device: Device) -> None:
    """Raises InputError if the latencies of ``device`` are predictions of a regression."""
    if not isinstance(device.settings, RegressionSettings):
        return
    reference = device.settings.confirm
    raise InputError(
        f"device {device.name} is a regression, and its times are predictions; name the device "
        f"that they are of{f', {reference}' if reference else ''}"
    )


def require_table_of(device: Device, rows: Sequence[Measurement], table: Path) -> None:
    """Raises InputError if ``rows`` are of another device or input, or of different conditions.

    Rows without an origin, as in a table made by hand, are accepted.
    """
    with_origin = [row for row in rows if row.origin is not None]
    for row in with_origin:
        origin, first = row.origin, with_origin[0].origin
        assert origin is not None
        assert first is not None
        if (origin.device, origin.input) != (device.name, str(device.input)):
            raise InputError(
                f"{table}: {row.name} was measured on {origin.device} at {origin.input}, not on "
                f"{device.name} at {device.input}"
            )
        if origin.conditions != first.conditions:
            raise InputError(
                f"{table}: {row.name} and {with_origin[0].name} were measured on {origin.device} "
                "with other settings or software; keep the rows of one of them"
            )
