"""What is known of a device before any time is: engines, what they charge for, how they overlap."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from search_spaces import InputError

from .quantities import ChannelPadding, Quantity


@dataclass(frozen=True)
class Engine:
    """A part of the device, and TFLite's operators that run on it."""

    name: str
    kinds: frozenset[str]


@dataclass(frozen=True)
class Term:
    """One coefficient, never negative: ms for a unit of ``quantity`` of these operators."""

    quantity: Quantity
    kinds: frozenset[str]
    #: the coefficient where it is published; None: fitted
    known_ms: float | None = None
    #: what is expected of the coefficient before any time is known; None: as other devices' are
    expected_ms: float | None = None

    def __post_init__(self) -> None:
        if self.known_ms is not None and not 0 <= self.known_ms < float("inf"):
            raise InputError(f"{self.quantity}: {self.known_ms} ms; a price is not negative")
        if self.expected_ms is not None and not 0 < self.expected_ms < float("inf"):
            raise InputError(f"{self.quantity}: {self.expected_ms} ms; it must be positive")


@dataclass(frozen=True)
class CostStructure:
    """How a device's times are put together; InputError if it contradicts itself."""

    engines: tuple[Engine, ...]
    terms: tuple[Term, ...]
    #: engines work at the same time on what does not depend on each other
    side_by_side: bool = False
    #: the fit takes the one that predicts networks best that it has not seen
    paddings: tuple[ChannelPadding, ...] = (ChannelPadding(),)
    #: learn what the terms leave of each operator's time, where the table gives operators' times
    residual: bool = False
    #: software that a prediction is for, among those of the table
    stack: str = ""
    #: operators that run within the convolution whose result they read, if nobody else reads it
    fused: frozenset[str] = frozenset()
    #: operators that cost nothing at the image's or the output's end
    free_at_ends: frozenset[str] = frozenset()
    #: operators that only give the same bytes another shape, and cost nothing
    free: frozenset[str] = frozenset()
    #: how far measurements are expected to scatter around any prices: 0.05 is 5 %
    scatter: float = 0.05
    _engine_of: dict[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        counts = Counter(kind for engine in self.engines for kind in engine.kinds)
        twice = sorted(kind for kind, count in counts.items() if count > 1)
        if twice:
            raise InputError(f"{', '.join(twice)}: on two engines; an operator runs on one")
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

    @property
    def open_kinds(self) -> frozenset[str]:
        """Operators with a coefficient to be fitted; the times of all others are settled."""
        return frozenset(k for term in self.terms if term.known_ms is None for k in term.kinds)

    def engine_of(self, kind: str) -> str | None:
        """Name of the engine that runs this operator; None: no engine is known to."""
        return self._engine_of.get(kind)
