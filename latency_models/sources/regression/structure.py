"""The cost structure of a device: engines, the terms of their times, and whether they overlap."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

from search_spaces import InputError

from .enlargement import ENLARGING, has_factor, kind_of
from .quantities import ChannelPadding, Quantity


@dataclass(frozen=True)
class Engine:
    """A processing unit of the device, and the TFLite operators that run on it.

    An operator is named by its kind, or by kind and factor as ``enlargement`` describes.
    """

    name: str
    kinds: frozenset[str]


@dataclass(frozen=True)
class Term:
    """A term of an operator's time: its work in ``quantity`` times a price, ms per unit, >= 0."""

    quantity: Quantity
    kinds: frozenset[str]
    #: the price, in ms per unit, if it is published; None: it is fitted
    known_ms: float | None = None
    #: the expected price before any measurement; None: derived from other devices
    expected_ms: float | None = None

    def __post_init__(self) -> None:
        if self.known_ms is not None and not 0 <= self.known_ms < float("inf"):
            raise InputError(f"{self.quantity}: {self.known_ms} ms; a price is not negative")
        if self.expected_ms is not None and not 0 < self.expected_ms < float("inf"):
            raise InputError(f"{self.quantity}: {self.expected_ms} ms; it must be positive")


@dataclass(frozen=True)
class CostStructure:
    """How work and prices make up the time of a network; InputError if it contradicts itself."""

    engines: tuple[Engine, ...]
    terms: tuple[Term, ...]
    #: engines work in parallel on operators that do not depend on each other
    side_by_side: bool = False
    #: possible paddings; a fit chooses among them or weights them
    paddings: tuple[ChannelPadding, ...] = (ChannelPadding(),)
    #: fit residual trees, if the table has times of operators
    residual: bool = False
    #: the software, among those of the table, that predictions are for
    stack: str = ""
    #: operators that are fused into a convolution if they are the only reader of its result
    fused: frozenset[str] = frozenset()
    #: operators that cost nothing if they read the image or write the output
    free_at_ends: frozenset[str] = frozenset()
    #: operators that never cost anything, such as RESHAPE
    free: frozenset[str] = frozenset()
    #: expected relative deviation of measurements from the fit: 0.05 is 5 %
    scatter: float = 0.05
    _engine_of: dict[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        counts = Counter(kind for engine in self.engines for kind in engine.kinds)
        twice = sorted(kind for kind, count in counts.items() if count > 1)
        if twice:
            raise InputError(f"{', '.join(twice)}: on two engines; an operator runs on one")
        self._require_factors_fit(counts)
        charged = {kind for term in self.terms for kind in term.kinds}
        unpaid = sorted(set(counts) - charged - self.free)
        if unpaid:
            raise InputError(
                f"{', '.join(unpaid)}: no term charges for it; add it to one, or to free"
            )
        paid = sorted(self.free & charged)
        if paid:
            raise InputError(f"{', '.join(paid)}: free, and a term charges for it; choose one")
        homeless = sorted((charged | self.free) - set(counts))
        if homeless:
            raise InputError(f"{', '.join(homeless)}: on no engine; add it to one")
        if not 0 < self.scatter < 1:
            raise InputError(f"scatter {self.scatter}; it is a part of a time, as 0.05 is 5 %")
        if not self.paddings:
            raise InputError("no padding is given; give at least one")
        engine_of = {kind: engine.name for engine in self.engines for kind in engine.kinds}
        object.__setattr__(self, "_engine_of", engine_of)

    def _require_factors_fit(self, names: Collection[str]) -> None:
        for name in filter(has_factor, names):
            kind = kind_of(name)
            if kind not in ENLARGING:
                raise InputError(f"{name}: {kind} does not enlarge; name it without a factor")
            if kind in names:
                raise InputError(f"{kind} is named without a factor and as {name}; choose one")
            if not self.residual:
                raise InputError(
                    f"{name}: only a fit to the times of operators tells factors apart; name it "
                    f"{kind}, or set residual = true"
                )

    @property
    def open_kinds(self) -> frozenset[str]:
        """Kinds of operators with a price to be fitted."""
        return frozenset(k for term in self.terms if term.known_ms is None for k in term.kinds)

    def engine_of(self, name: str) -> str | None:
        """Returns the engine of operators named ``name``, see ``enlargement``; None if unknown."""
        return self._engine_of.get(name) or self._engine_of.get(kind_of(name))
