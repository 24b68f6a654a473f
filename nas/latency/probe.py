"""Probes: planned sets of networks whose measurements determine a new device's prices, in minutes.

A price is a coefficient of a latency model. The networks are chosen from a pool by D-optimal
design, see ``latency_models.sources.regression.design``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from latency_models import SourceGone, UnsupportedOperators
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

#: Default of the largest number of networks in a plan.
DEFAULT_COUNT = 24
#: Number of failed measurements in a row that ends a probe.
_MOST_FAILURES = 5


@dataclass(frozen=True)
class ProbeDesign:
    """Chooses ``count`` networks from a pool; deterministic for a given pool and seed."""

    pool: tuple[Probe, ...]
    count: int = DEFAULT_COUNT
    seed: int = 0

    @classmethod
    def of(
        cls, device: Device, space: Space, scale: int, count: int = DEFAULT_COUNT, seed: int = 0
    ) -> ProbeDesign:
        """Makes a design whose pool has the networks that ``device`` supports; InputError if none.

        Measurements give times of whole networks only: their pool has small networks, which
        separate the prices. A compiler gives times of operators, which depend on their neighbors:
        its pool has the networks of the zoo and of ``space``.
        """
        networks = (
            whole_networks(space, device.input, scale, seed)
            if not device.settings.measures
            else small_probes(device.input, scale)
        )
        supported = device.operators
        pool = tuple(probe for probe in networks if supported is None or probe.kinds <= supported)
        if not pool:
            raise InputError(
                f"device {device.name} takes too few operators for any network of ours"
            )
        return cls(pool, count, seed)

    @cached_property
    def structures(self) -> tuple[CostStructure, ...]:
        """Cost structures that the device may have; it is assumed to have one engine."""
        operators = [operator for probe in self.pool for operator in probe.operators]
        engine = Engine("device", frozenset(operator.kind for operator in operators))
        return possible_structures((engine,), {k.kind for k in operators if k.macs})

    @cached_property
    def prices(self) -> tuple[PossiblePrices, ...]:
        """Random draws of prices that the device may have."""
        networks = [probe.operators for probe in self.pool]
        return possible_prices(self.structures, networks, self.seed)

    @cached_property
    def plan(self) -> tuple[int, ...]:
        """Indices in the pool of the networks to measure, before the device refuses any."""
        return d_optimal(self.prices, self.count, holds=self._kind_mask)

    def replacements(self, kept: Sequence[int], excluded: frozenset[int]) -> tuple[int, ...]:
        """Returns networks that complete the plan of ``kept`` ones, none of them ``excluded``."""
        allowed = [place for place in range(len(self.pool)) if place not in {*excluded, *kept}]
        return d_optimal(self.prices, self.count - len(kept), kept, allowed, self._kind_mask)

    @cached_property
    def _kind_mask(self) -> npt.NDArray[np.bool_]:
        """Boolean mask, shape (networks, kinds): which kinds of operators each network has."""
        import numpy as np

        all_kinds = sorted({kind for probe in self.pool for kind in probe.kinds})
        return np.array([[kind in probe.kinds for kind in all_kinds] for probe in self.pool])


@dataclass(frozen=True)
class RefusedKind:
    """A kind of operator that the device refused, and its reason."""

    kind: str
    reason: str


@dataclass(frozen=True)
class ProbeResult:
    """The result of a probe: measurements, and refused kinds of operators."""

    rows: tuple[Measurement, ...]
    refused: tuple[RefusedKind, ...]


def run_probe(bench: DeviceBench, design: ProbeDesign, tell: Callable[[str], None]) -> ProbeResult:
    """Measures the plan and writes each row to the bench's table before the next measurement.

    Another run continues the table. If the device refuses operators, networks with them are
    replaced by others. Raises SourceGone at once if the device is gone, and CandidateError
    after ``_MOST_FAILURES`` other failures in a row, or if no network is left.
    """
    return _ProbeRun(bench, design, tell).run()


class _ProbeRun:
    """State of one run of a probe; networks are indices in the pool."""

    def __init__(
        self, bench: DeviceBench, design: ProbeDesign, tell: Callable[[str], None]
    ) -> None:
        self.bench, self.design, self.tell = bench, design, tell
        #: refused kind of operator -> reason
        self.refused: dict[str, str] = {}
        self.failed: set[int] = set()
        self.failures_in_a_row = 0

    def run(self) -> ProbeResult:
        table, pool = self.bench.table, self.design.pool
        with table.locked():
            rows = list(table.rows())
            measured = {row.name for row in rows}
            done = [place for place, probe in enumerate(pool) if self._row_name(probe) in measured]
            left = [place for place in self.design.plan if place not in done]
            while left and len(done) < self.design.count:
                place = left.pop(0)
                row = self._measure(place)
                if row is None:
                    left = self._replan([*done], left)
                    continue
                rows.append(row)
                done.append(place)
                table.write(rows)
                self.tell(
                    f"{len(done)} of {len(done) + len(left)}: {pool[place].name} at "
                    f"{pool[place].input} {row.ms:.2f} ms"
                )
        return ProbeResult(
            tuple(rows), tuple(RefusedKind(*item) for item in sorted(self.refused.items()))
        )

    def _row_name(self, probe: Probe) -> str:
        return row_name(probe.graph, probe.input, self.bench.device.input)

    def _measure(self, place: int) -> Measurement | None:
        """Measures a network; None, after a line to ``tell``, if that fails."""
        probe = self.design.pool[place]
        try:
            row = self.bench.measure(probe.graph, probe.input)
        except SourceGone:
            raise
        except CandidateError as error:
            self.failed.add(place)
            kinds = error.kinds if isinstance(error, UnsupportedOperators) else ()
            self.refused |= dict.fromkeys(kinds, str(error))
            self.failures_in_a_row = 0 if kinds else self.failures_in_a_row + 1
            problem = f"refused for {', '.join(kinds)}" if kinds else "left out"
            self.tell(f"{problem}: {probe.name} at {probe.input}: {error}")
            if self.failures_in_a_row == _MOST_FAILURES or self._none_left():
                raise
            return None
        self.failures_in_a_row = 0
        return row

    def _none_left(self) -> bool:
        return len(self._excluded) == len(self.design.pool)

    @property
    def _excluded(self) -> frozenset[int]:
        """Networks that failed, or that have a kind of operator that was refused."""
        return frozenset(
            place
            for place, probe in enumerate(self.design.pool)
            if place in self.failed or probe.kinds & self.refused.keys()
        )

    def _replan(self, done: list[int], left: list[int]) -> list[int]:
        """Returns the networks left to measure, with replacements for the excluded ones."""
        excluded = self._excluded
        kept = [place for place in left if place not in excluded]
        return [*kept, *self.design.replacements([*done, *kept], excluded)]
