"""Examples that the neural networks of the Ethos-U regressions are trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from latency_models.sources.regression import Measurement
from latency_models.sources.regression.operator_features import features
from latency_models.sources.regression.operator_network import work_cycles
from latency_models.sources.regression.operator_table import OperatorTable
from latency_models.sources.regression.operator_variants import variants
from latency_models.sources.regression.settings import TABLE
from latency_models.sources.regression.source import read_table

from .ethos_u import COMPILED, shipped_table

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

#: Networks of each table that are kept from training, for the interval.
LEFT_OUT = {"train": 400, "more": 0, "structures": 300, "scales": 100}
#: MHz of each compiled device.
CLOCKS = {
    "ethos-u55-256": 500,
    "ethos-u65-512": 1000,
    "ethos-u85-512": 1000,
    "ethos-u85-1024": 1000,
}


@dataclass(frozen=True)
class Example:
    """One network: features (operators, features) and cycles (operators, devices).

    ``work`` (operators,) are the cycles of pure work, which predicted factors multiply. ``counted``
    (operators, devices) is 0 where a device leaves an operator to the CPU, else 1. ``variants``
    (operators,) are numbers of ``operator_variants``.
    """

    shown: Floats
    work: Floats
    variants: Integers
    cycles: Floats
    counted: Floats

    def on(self, device: int) -> Example:
        """Returns the same network on one device alone."""
        own = slice(device, device + 1)
        return replace(self, cycles=self.cycles[:, own], counted=self.counted[:, own])


@dataclass(frozen=True)
class Examples:
    """All networks, with their operator kinds and their ranges of image pixels and times in ms.

    ``left_out`` are networks of each table that are never trained on.
    """

    kinds: tuple[str, ...]
    trained: tuple[Example, ...]
    left_out: Mapping[str, tuple[Example, ...]]
    #: number of networks to train on from all tables but ``train``
    others: int
    pixels: tuple[float, float]
    ms: Mapping[str, tuple[float, float]]

    @classmethod
    def read(cls, tables: Path) -> Self:
        """Reads the tables below ``tables``, and those that the devices ship."""
        rows: dict[str, list[Measurement]] = {}
        for name in COMPILED:
            parts = {part: read_table(tables / name / part / TABLE) for part in LEFT_OUT}
            compiled = [row for of_part in parts.values() for row in of_part]
            known = {row.name for row in compiled}
            rows[name] = [*compiled, *(row for row in shipped_table(name) if row.name not in known)]
        first, places = 0, dict[str, range]()
        for part, of_part in parts.items():
            places[part] = range(first, first + LEFT_OUT[part])
            first += len(of_part)
        others = sum(len(parts[part]) - LEFT_OUT[part] for part in parts if part != "train")
        return cls.of(rows, places, others)

    @classmethod
    def of(
        cls,
        tables: Mapping[str, Sequence[Measurement]],
        left_out: Mapping[str, range],
        others: int,
    ) -> Self:
        """Makes examples of the devices' tables, which must hold the same networks."""
        rows = tables[COMPILED[0]]
        assert all([r.name for r in own] == [r.name for r in rows] for own in tables.values())
        table = OperatorTable.of([row.operators for row in rows])
        kinds = table.kinds[0]
        shown, work = features(table, kinds), work_cycles(table).astype(np.float32)
        counted, cycles = (
            np.stack([column(name, own) for name, own in tables.items()], axis=1)
            for column in (_counted, _cycles)
        )
        ends = np.cumsum([len(row.operators) for row in rows])[:-1]
        columns = shown, work, variants(table, kinds), cycles * counted, counted
        examples = [
            Example(*parts)
            for parts in zip(*(np.split(column, ends) for column in columns), strict=True)
        ]
        kept = {place for places in left_out.values() for place in places}
        sizes = table.image_pixels
        return cls(
            kinds,
            tuple(one for place, one in enumerate(examples) if place not in kept),
            {part: tuple(examples[place] for place in own) for part, own in left_out.items()},
            others,
            (float(sizes.min()), float(sizes.max())),
            {name: _extent([row.ms for row in own]) for name, own in tables.items()},
        )


def _counted(_: str, rows: Sequence[Measurement]) -> Floats:
    return np.array([e != "cpu" for row in rows for e in row.engines], np.float32)


def _cycles(name: str, rows: Sequence[Measurement]) -> Floats:
    return np.array(
        [1e3 * CLOCKS[name] * ms for row in rows for ms in row.operators_ms], np.float32
    )


def _extent(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(values)


def padded(examples: Sequence[Example]) -> tuple[Floats, ...]:
    """Returns one zero-padded array per field, and a mask that is 1 where an operator is."""
    longest = -(-max(len(example.work) for example in examples) // 8) * 8

    def stacked(values: Sequence[Floats]) -> Floats:
        return np.stack([np.pad(v, ((0, longest - len(v)), (0, 0))) for v in values])

    return (
        stacked([e.shown for e in examples]),
        stacked([e.work[:, None] for e in examples]),
        stacked([e.cycles for e in examples]),
        stacked([e.counted for e in examples]),
        stacked([np.ones_like(e.work)[:, None] for e in examples]),
    )
