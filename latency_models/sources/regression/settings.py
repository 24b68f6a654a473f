"""The regression settings of a device.toml."""

from __future__ import annotations

import hashlib
from importlib.resources.abc import Traversable
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from search_spaces import InputError

from ..settings import SettingsTable, SourcePlace, SourceSettings
from .model import LatencyModel
from .quantities import ChannelPadding, Quantity
from .source import (
    RegressionSource,
    fitted_model,
    learned_model,
    read_table,
    transferred_model,
)
from .structure import CostStructure, Engine, Term

#: The table in the device's folder, if device.toml names no other.
TABLE = "measurements.csv"

Kinds = Annotated[tuple[str, ...], Field(strict=False)]


class TermSettings(SettingsTable):
    """A quantity of work that operators are charged for; empty ``kinds`` means all operators."""

    quantity: Annotated[Quantity, Field(strict=False)]
    kinds: Kinds = ()
    #: published price in ms per unit of the quantity; None: the price is fitted
    known_ms: NonNegativeFloat | None = None
    #: expected price in ms per unit; None: that of other devices times this device's speed
    expected_ms: PositiveFloat | None = None


class PaddingSettings(SettingsTable):
    """Multiples to which the device may pad channels."""

    compute_channels: PositiveInt
    memory_channels: PositiveInt


class IntervalSettings(SettingsTable):
    """The width of the interval, stored because its cross-validation takes many fits.

    ``radius`` is half of the width, in logarithms, or in standard deviations of a prediction for a
    fit of prices alone. ``of`` is a digest of table and settings: if these have changed, the width
    is determined again.
    """

    radius: PositiveFloat
    of: str


class RegressionSettings(SourceSettings):
    """The cost structure of a device, whose measurements are a table beside device.toml."""

    predicts: ClassVar[bool] = True

    source: Literal["regression"]
    #: engine -> TFLite's names of the operators that run on it
    engines: dict[str, Kinds]
    terms: Annotated[tuple[TermSettings, ...], Field(min_length=1, strict=False)]
    side_by_side: bool = False
    paddings: Annotated[tuple[PaddingSettings, ...], Field(min_length=1, strict=False)] = (
        PaddingSettings(compute_channels=1, memory_channels=1),
    )
    residual: bool = False
    #: expected relative deviation of measurements from the fit: 0.05 is 5 %
    scatter: Annotated[float, Field(ge=1e-4, lt=1)] = 0.05
    #: operators that are fused into a convolution if they are the only reader of its result
    fused: Kinds = ()
    #: operators that cost nothing if they read the image or write the output
    free_at_ends: Kinds = ()
    #: operators that never cost anything, such as RESHAPE
    free: Kinds = ()
    #: the software, among those of the table, that predictions are for
    stack: str = ""
    #: name of the table in the device's folder; may be compressed, measurements.csv.gz
    table: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")] = TABLE
    #: the table of another device, ``donor.csv``, beside the device's own: engines and terms are
    #: that device's, and its model is transferred to this one by ten or more rows of the own table
    transfer_from: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")] | None = None
    #: an ``OperatorNetwork`` beside the table, which predicts instead of a fit to the table
    network: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\.npz$")] | None = None
    #: the device that is predicted, on which a search measures its best networks: a name, a folder
    #: or adb:SERIAL; not part of the device's fingerprint
    confirm: Annotated[str | None, Field(exclude=True)] = None
    #: added by ``with_interval``; not part of the device's fingerprint
    interval: Annotated[IntervalSettings | None, Field(exclude=True)] = None

    @model_validator(mode="after")
    def _require_one_model_origin(self) -> Self:
        if self.network is not None and self.transfer_from is not None:
            raise ValueError("transfer_from and network: a model comes from one of them")
        return self

    @property
    def non_latency_settings(self) -> dict[str, Any]:
        """Settings in device.toml that do not change any latency."""
        interval = None if self.interval is None else self.interval.model_dump()
        settings = {"confirm": self.confirm, "interval": interval}
        return {name: value for name, value in settings.items() if value is not None}

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of all files that the model is made from, the device's own table first."""
        others = (self.transfer_from, self.network)
        return (self.table, *(name for name in others if name is not None))

    def fit(self, folder: Traversable) -> LatencyModel:
        """Fits or loads the model from the files in ``folder``; InputError says what is wrong."""
        rows = read_table(folder / self.table)
        if self.network is not None:
            file = folder / self.network
            return learned_model(self.structure, rows, _read_bytes(file), str(file))
        if self.transfer_from is None:
            return fitted_model(self.structure, rows, self.known_radius(folder))
        return transferred_model(self.structure, read_table(folder / self.transfer_from), rows)

    def open(self, place: SourcePlace) -> RegressionSource:
        """Returns the latency source; InputError as in ``fit``."""
        if self.transfer_from is None:
            return RegressionSource(self.fit(place.folder))
        origin = f"the model of {self.transfer_from}, brought here by these measurements"
        return RegressionSource(self.fit(place.folder), (("transfer", origin),))

    def with_interval(self, folder: Traversable) -> Self:
        """Returns these settings with the interval that cross-validation in ``folder`` gives."""
        radius = self.model_copy(update={"interval": None}).fit(folder).spread.radius
        interval = IntervalSettings(radius=round(radius, 6), of=self._digest(folder))
        return self.model_copy(update={"interval": interval})

    def known_radius(self, folder: Traversable) -> float | None:
        """Returns ``interval.radius`` if table and settings have not changed since; else None."""
        if self.interval is None or self.interval.of != self._digest(folder):
            return None
        return self.interval.radius

    def _digest(self, folder: Traversable) -> str:
        """Returns 16 hex digits that identify the contents of the table and the settings."""
        settings = self.model_dump_json(exclude={"table"}, exclude_defaults=True).encode()
        return hashlib.sha256(settings + (folder / self.table).read_bytes()).hexdigest()[:16]

    @property
    def structure(self) -> CostStructure:
        """The cost structure; InputError if the settings contradict each other."""
        all_kinds = {kind for kinds in self.engines.values() for kind in kinds}
        return CostStructure(
            engines=tuple(Engine(name, frozenset(kinds)) for name, kinds in self.engines.items()),
            terms=tuple(
                Term(
                    term.quantity,
                    frozenset(term.kinds or all_kinds),
                    term.known_ms,
                    term.expected_ms,
                )
                for term in self.terms
            ),
            side_by_side=self.side_by_side,
            paddings=tuple(
                ChannelPadding(pads.compute_channels, pads.memory_channels)
                for pads in self.paddings
            ),
            residual=self.residual,
            stack=self.stack,
            fused=frozenset(self.fused),
            free_at_ends=frozenset(self.free_at_ends),
            free=frozenset(self.free),
            scatter=self.scatter,
        )


def _read_bytes(file: Traversable) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror})") from None
