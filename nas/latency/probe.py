"""A planned set of networks that tells a new device's prices, in minutes.

What is measured is chosen beforehand, of a pool of networks, so that the least of the prices stays
open: ``latency_models.sources.regression.design`` says how.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from latency_models import UnsupportedOperators
from latency_models.device import Device
from latency_models.sources.regression import CostStructure, Engine, Measurement
from latency_models.sources.regression.defaults import possible_structures
from latency_models.sources.regression.design import PossiblePrices, d_optimal, possible_prices
from search_spaces import CandidateError, InputError
from search_spaces.spaces.space import Space

from .bench import DeviceBench, row_name
from .probe_pool import Probe, small_probes, whole_networks

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

#: So many networks are planned at most.
MOST = 24
_MOST_FAILURES = 5


@dataclass(frozen=True)
class ProbeDesign:
    """Of a pool of networks, which to measure; the same for the same pool and seed."""

    pool: tuple[Probe, ...]
    count: int = MOST
    seed: int = 0

    @classmethod
    def of(
        cls, device: Device, space: Space, scale: int, count: int = MOST, seed: int = 0
    ) -> ProbeDesign:
        """From networks of which ``device`` takes every operator.

        A board tells the time of a whole network, which small ones take apart. A compiler tells
        each operator's, which hangs on the operators around it: whole networks are compiled.
        """
        networks = (
            whole_networks(space, device.input, scale, seed)
            if not device.settings.measures
            else small_probes(device.input, scale)
        )
        taken = device.operators
        pool = tuple(probe for probe in networks if taken is None or probe.kinds <= taken)
        if not pool:
            raise InputError(
                f"device {device.name} takes too few operators for any network of ours"
            )
        return cls(pool, count, seed)

    @cached_property
    def structures(self) -> tuple[CostStructure, ...]:
        """What the device may be like; nothing is known of its engines."""
        operators = [operator for probe in self.pool for operator in probe.operators]
        engine = Engine("device", frozenset(operator.kind for operator in operators))
        return possible_structures((engine,), {k.kind for k in operators if k.macs})

    @cached_property
    def prices(self) -> tuple[PossiblePrices, ...]:
        """What it may charge."""
        networks = [probe.operators for probe in self.pool]
        return possible_prices(self.structures, networks, self.seed)

    @cached_property
    def plan(self) -> tuple[int, ...]:
        """Places in the pool, if the device takes them all."""
        return d_optimal(self.prices, self.count, holds=self._holds)

    def instead(self, kept: Sequence[int], but: frozenset[int]) -> tuple[int, ...]:
        """What fills the plan up beside those that are ``kept``, without ``but``."""
        allowed = [place for place in range(len(self.pool)) if place not in {*but, *kept}]
        return d_optimal(self.prices, self.count - len(kept), kept, allowed, self._holds)

    @cached_property
    def _holds(self) -> npt.NDArray[np.bool_]:
        """(networks, kinds): which operators they hold."""
        import numpy as np

        every = sorted({kind for probe in self.pool for kind in probe.kinds})
        return np.array([[kind in probe.kinds for kind in every] for probe in self.pool])


@dataclass(frozen=True)
class Refused:
    """An operator that the device does not take, and what it said."""

    kind: str
    reason: str


@dataclass(frozen=True)
class Probed:
    """What was measured, and what could not be."""

    rows: tuple[Measurement, ...]
    refused: tuple[Refused, ...]


def run_probe(bench: DeviceBench, design: ProbeDesign, tell: Callable[[str], None]) -> Probed:
    """Measures the plan into the bench's table, each on disk before the next begins.

    Started again it goes on. A network that the device refuses is replaced by the next best without
    the operators that it was refused for. CandidateError after some failures in a row that say
    nothing of operators, or if nothing could be measured.
    """
    return _Run(bench, design, tell).run()


class _Run:
    """One run: ``done`` and ``left`` are places in the pool."""

    def __init__(
        self, bench: DeviceBench, design: ProbeDesign, tell: Callable[[str], None]
    ) -> None:
        self.bench, self.design, self.tell = bench, design, tell
        self.refused: dict[str, str] = {}
        self.failed: set[int] = set()
        self.in_a_row = 0

    def run(self) -> Probed:
        table, pool = self.bench.table, self.design.pool
        with table.held():
            rows = list(table.rows())
            known = {row.name for row in rows}
            done = [place for place, probe in enumerate(pool) if self._row(probe) in known]
            left = [place for place in self.design.plan if place not in done]
            while left and len(done) < self.design.count:
                place = left.pop(0)
                row = self._measured(place)
                if row is None:
                    left = self._without_refused([*done], left)
                    continue
                rows.append(row)
                done.append(place)
                table.keep(rows)
                self.tell(
                    f"{len(done)} of {len(done) + len(left)}: {pool[place].name} at "
                    f"{pool[place].input} {row.ms:.2f} ms"
                )
        return Probed(tuple(rows), tuple(Refused(*item) for item in sorted(self.refused.items())))

    def _row(self, probe: Probe) -> str:
        return row_name(probe.graph, probe.input, self.bench.device.input)

    def _measured(self, place: int) -> Measurement | None:
        """None if it could not be, which is told."""
        probe = self.design.pool[place]
        try:
            row = self.bench.measure(probe.graph, probe.input)
        except CandidateError as error:
            self.failed.add(place)
            kinds = error.kinds if isinstance(error, UnsupportedOperators) else ()
            self.refused |= dict.fromkeys(kinds, str(error))
            self.in_a_row = 0 if kinds else self.in_a_row + 1
            what = f"refused for {', '.join(kinds)}" if kinds else "left out"
            self.tell(f"{what}: {probe.name} at {probe.input}: {error}")
            if self.in_a_row == _MOST_FAILURES or self._nothing_left():
                raise
            return None
        self.in_a_row = 0
        return row

    def _nothing_left(self) -> bool:
        return len(self._barred) == len(self.design.pool)

    @property
    def _barred(self) -> frozenset[int]:
        """What failed, or holds an operator that was refused."""
        return frozenset(
            place
            for place, probe in enumerate(self.design.pool)
            if place in self.failed or probe.kinds & self.refused.keys()
        )

    def _without_refused(self, done: list[int], left: list[int]) -> list[int]:
        barred = self._barred
        kept = [place for place in left if place not in barred]
        return [*kept, *self.design.instead([*done, *kept], barred)]
