"""A regression as device.toml describes it, and the structure that it makes."""

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
    """Work of some operators, or of all, that costs time; ``known_ms``: its published price."""

    quantity: Annotated[Quantity, Field(strict=False)]
    kinds: Kinds = ()
    known_ms: NonNegativeFloat | None = None
    #: what the price is expected to be; without it, as other devices' are, by this one's speed
    expected_ms: PositiveFloat | None = None


class PaddingSettings(SettingsTable):
    """Multiples to which the device may pad channels."""

    compute_channels: PositiveInt
    memory_channels: PositiveInt


class IntervalSettings(SettingsTable):
    """How wide the interval is, found once: leaving networks out takes several fits more.

    Half of it in logarithms; of prices alone, in standard deviations of each prediction.

    ``of`` says of what: another table, or another structure, is left out anew.
    """

    radius: PositiveFloat
    of: str


class RegressionSettings(SourceSettings):
    """What is known of a device before its times are; ``measurements.csv`` lies beside it."""

    predicts: ClassVar[bool] = True

    source: Literal["regression"]
    #: an engine, and TFLite's operators that run on it
    engines: dict[str, Kinds]
    terms: Annotated[tuple[TermSettings, ...], Field(min_length=1, strict=False)]
    side_by_side: bool = False
    paddings: Annotated[tuple[PaddingSettings, ...], Field(min_length=1, strict=False)] = (
        PaddingSettings(compute_channels=1, memory_channels=1),
    )
    residual: bool = False
    #: how far measurements scatter around any prices: 0.05 is 5 %
    scatter: Annotated[float, Field(gt=0, lt=1)] = 0.05
    #: operators that run within the convolution whose result they alone read
    fused: Kinds = ()
    #: operators that cost nothing where they read the image or make the output
    free_at_ends: Kinds = ()
    #: operators that only give the same bytes another shape
    free: Kinds = ()
    #: of the table's, the software that predictions are for
    stack: str = ""
    #: measurements.csv.gz where a plain one would be large
    table: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")] = TABLE
    #: a table beside the device's own, ``donor.csv``: that of another device, whose engines and
    #: terms these are, and whose model is brought to this one by the own table's ten rows or more
    transfer_from: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")] | None = None
    #: a network of operators beside the table, which predicts in the place of a fit to it
    network: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\.npz$")] | None = None
    #: the device whose times are truer than these predictions: a name, a folder or adb:SERIAL; no
    #: latency changes with it, so a device with another is the same
    confirm: Annotated[str | None, Field(exclude=True)] = None
    #: what ``with_interval`` adds, and no latency changes with
    interval: Annotated[IntervalSettings | None, Field(exclude=True)] = None

    @model_validator(mode="after")
    def _from_one(self) -> Self:
        if self.network is not None and self.transfer_from is not None:
            raise ValueError("transfer_from and network: a model comes from one of them")
        return self

    @property
    def beside(self) -> dict[str, Any]:
        """What stands in device.toml and changes no latency."""
        interval = None if self.interval is None else self.interval.model_dump()
        beside = {"confirm": self.confirm, "interval": interval}
        return {name: value for name, value in beside.items() if value is not None}

    @property
    def tables(self) -> tuple[str, ...]:
        """The device's own measurements, and what else its model comes from."""
        others = (self.transfer_from, self.network)
        return (self.table, *(name for name in others if name is not None))

    def fit(self, folder: Traversable) -> LatencyModel:
        """The model of the tables in ``folder``; InputError says what is wrong or lacking."""
        rows = read_table(folder / self.table)
        if self.network is not None:
            file = folder / self.network
            return learned_model(self.structure, rows, _bytes_of(file), str(file))
        if self.transfer_from is None:
            return fitted_model(self.structure, rows, self.known_radius(folder))
        return transferred_model(self.structure, read_table(folder / self.transfer_from), rows)

    def open(self, place: SourcePlace) -> RegressionSource:
        """What predicts; InputError as for ``fit``."""
        if self.transfer_from is None:
            return RegressionSource(self.fit(place.folder))
        brought = f"the model of {self.transfer_from}, brought here by these measurements"
        return RegressionSource(self.fit(place.folder), (("transfer", brought),))

    def with_interval(self, folder: Traversable) -> Self:
        """The same, with the interval of the table in ``folder`` written down."""
        radius = self.model_copy(update={"interval": None}).fit(folder).spread.radius
        interval = IntervalSettings(radius=round(radius, 6), of=self._digest(folder))
        return self.model_copy(update={"interval": interval})

    def known_radius(self, folder: Traversable) -> float | None:
        """Half the interval, if it is written down and is that of the table in ``folder``."""
        if self.interval is None or self.interval.of != self._digest(folder):
            return None
        return self.interval.radius

    def _digest(self, folder: Traversable) -> str:
        """16 hex digits that change with the table and with what it is fitted by."""
        settings = self.model_dump_json(exclude={"table"}, exclude_defaults=True).encode()
        return hashlib.sha256(settings + (folder / self.table).read_bytes()).hexdigest()[:16]

    @property
    def structure(self) -> CostStructure:
        """The same, checked against itself; InputError if it is at odds."""
        every = {kind for kinds in self.engines.values() for kind in kinds}
        return CostStructure(
            engines=tuple(Engine(name, frozenset(kinds)) for name, kinds in self.engines.items()),
            terms=tuple(
                Term(
                    term.quantity,
                    frozenset(term.kinds or every),
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


def _bytes_of(file: Traversable) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror})") from None
