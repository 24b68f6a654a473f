"""The table that measurements go into: of one device, input and space, and written by one."""

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
    """The measurements of ``origin`` in ``folder``."""

    folder: Path
    origin: MeasurementOrigin

    @property
    def path(self) -> Path:
        return self.folder / TABLE

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Within, nobody else writes it; InputError if somebody does, or if it is of another."""
        self.rows()
        with alone(self.folder, "measuring"):
            yield

    def rows(self) -> tuple[Measurement, ...]:
        """What it holds so far; InputError if that is of another device, input or space."""
        if not self.path.exists():
            return ()
        rows = read_table(self.path)
        for row in rows:
            if row.origin is not None and (said := row.origin.difference(self.origin)):
                raise InputError(
                    f"{self.path}: holds measurements of {said}; name another folder by --out"
                )
        return rows

    def keep(self, rows: Sequence[Measurement]) -> None:
        """Brings the file up to date."""
        write_text(self.path, write_measurements(rows))


@dataclass(frozen=True)
class Networks:
    """Networks that were measured, by their names and by what runs in them."""

    names: frozenset[str]
    known: Known

    @classmethod
    def of(cls, rows: Sequence[Measurement]) -> Networks:
        """Those of a table."""
        names = frozenset(name for row in rows for name in (row.name, row.network))
        return cls(names, Known.of(rows))

    def hold(self, name: str, operators: Sequence[LoweredOperator]) -> bool:
        """Is this network among them?"""
        return name in self.names or bool(self.known.measured(operators))


NO_NETWORKS = Networks.of(())


def require_own_times(device: Device) -> None:
    """InputError if the times of ``device`` are a regression's: a model of them knows no more."""
    if not isinstance(device.settings, RegressionSettings):
        return
    reference = device.settings.confirm
    raise InputError(
        f"device {device.name} is a regression, and its times are predictions; name the device "
        f"that they are of{f', {reference}' if reference else ''}"
    )


def require_table_of(device: Device, rows: Sequence[Measurement], table: Path) -> None:
    """InputError if ``rows`` are of another device or input, or of several.

    Rows that do not say where they come from, as in a table made by hand, are taken as they are.
    """
    told = [row for row in rows if row.origin is not None]
    for row in told:
        origin, first = row.origin, told[0].origin
        assert origin is not None
        assert first is not None
        if (origin.device, origin.input) != (device.name, str(device.input)):
            raise InputError(
                f"{table}: {row.name} was measured on {origin.device} at {origin.input}, not on "
                f"{device.name} at {device.input}"
            )
        if origin.conditions != first.conditions:
            raise InputError(
                f"{table}: {row.name} and {told[0].name} were measured on {origin.device} with "
                "other settings or software; keep the rows of one of them"
            )
