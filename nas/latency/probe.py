"""Probes: planned sets of networks that determine a new device's prices, in minutes.

They are chosen from a pool of networks by D-optimal design, see
``latency_models.sources.regression.design``.
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

#: Most networks of a plan.
MOST = 24
#: Failed measurements in a row that end a probe.
_MOST_FAILURES = 5


@dataclass(frozen=True)
class ProbeDesign:
    """Chooses ``count`` networks of a pool; the same for the same pool and seed."""

    pool: tuple[Probe, ...]
    count: int = MOST
    seed: int = 0

    @classmethod
    def of(
        cls, device: Device, space: Space, scale: int, count: int = MOST, seed: int = 0
    ) -> ProbeDesign:
        """A design with a pool of networks whose operators ``device`` supports; InputError if none.

        On a board, whole networks are timed: the pool has small ones, which separate the prices. A
        compiler gives times of operators, which depend on their neighbors: its pool has the
        networks of the zoo and of ``space``.
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
        """The structures that the device may have; it is assumed to have one engine."""
        operators = [operator for probe in self.pool for operator in probe.operators]
        engine = Engine("device", frozenset(operator.kind for operator in operators))
        return possible_structures((engine,), {k.kind for k in operators if k.macs})

    @cached_property
    def prices(self) -> tuple[PossiblePrices, ...]:
        """Draws of prices that the device may have."""
        networks = [probe.operators for probe in self.pool]
        return possible_prices(self.structures, networks, self.seed)

    @cached_property
    def plan(self) -> tuple[int, ...]:
        """Indices in the pool of the networks to measure, unless the device refuses some."""
        return d_optimal(self.prices, self.count, holds=self._holds)

    def instead(self, kept: Sequence[int], but: frozenset[int]) -> tuple[int, ...]:
        """Networks that complete the plan in addition to ``kept``, without ``but``."""
        allowed = [place for place in range(len(self.pool)) if place not in {*but, *kept}]
        return d_optimal(self.prices, self.count - len(kept), kept, allowed, self._holds)

    @cached_property
    def _holds(self) -> npt.NDArray[np.bool_]:
        """Mask (networks, kinds): the kinds of operators of each network."""
        import numpy as np

        every = sorted({kind for probe in self.pool for kind in probe.kinds})
        return np.array([[kind in probe.kinds for kind in every] for probe in self.pool])


@dataclass(frozen=True)
class Refused:
    """A kind of operator that the device refused, and its reason."""

    kind: str
    reason: str


@dataclass(frozen=True)
class Probed:
    """The result of a probe: measurements, and refused kinds of operators."""

    rows: tuple[Measurement, ...]
    refused: tuple[Refused, ...]


def run_probe(bench: DeviceBench, design: ProbeDesign, tell: Callable[[str], None]) -> Probed:
    """Measures the plan into the bench's table, each row written before the next begins.

    Another run continues the table. If the device refuses operators, networks with them are
    replaced by others. CandidateError after some other failures in a row, or if no network is left.
    """
    return _Run(bench, design, tell).run()


class _Run:
    """One run of a probe; networks are indices in the pool."""

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
            measured = {row.name for row in rows}
            done = [place for place, probe in enumerate(pool) if self._row(probe) in measured]
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
        """Measures a network; None, after a line to ``tell``, if that fails."""
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
        """Networks that failed, or hold a kind of operator that was refused."""
        return frozenset(
            place
            for place, probe in enumerate(self.design.pool)
            if place in self.failed or probe.kinds & self.refused.keys()
        )

    def _without_refused(self, done: list[int], left: list[int]) -> list[int]:
        barred = self._barred
        kept = [place for place in left if place not in barred]
        return [*kept, *self.design.instead([*done, *kept], barred)]
