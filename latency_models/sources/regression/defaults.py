"""The structure of a device of which nothing is known but its measurements."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

from .measurements import Measurement
from .operator_table import OperatorTable
from .quantities import ChannelPadding, Quantity, work
from .structure import CostStructure, Engine, Term

#: The engine that takes what the others cannot.
_CPU = "cpu"
#: Prices are one up to the digits that a table keeps.
_SAME = 1.001
#: What a kind of operator may cost of its own.
_OF_COMPUTING = (Quantity.MACS, Quantity.ARITHMETIC, Quantity.OUTPUT, Quantity.PIXELS)
_OF_THE_REST = (Quantity.TRAFFIC, Quantity.PIXELS)
#: Operators that arrays of multipliers run as another one, with zeros put in.
_SPREADING = frozenset({"TRANSPOSE_CONV"})
#: What multiplier arrays and memories are usually built for.
_PADDINGS = (ChannelPadding(1, 1), ChannelPadding(8, 8), ChannelPadding(16, 16))


def default_structure(rows: Sequence[Measurement]) -> CostStructure:
    """Arithmetic and traffic of what computes, traffic of the rest, a cost an operator.

    Engines are those that most of the measurements name. What is left after the prices is learned
    if every row tells its operators' times; if none does and there are rows enough, each kind of
    operator has prices of its own instead.
    """
    computing = {k.kind for row in rows for k in row.operators if k.macs}
    every = {k.kind for row in rows for k in row.operators}
    apart = _kind_by_kind(computing, every)
    if not any(row.operators_ms for row in rows) and 2 * len(apart) <= len(rows):
        return CostStructure(_engines(rows), apart, paddings=_PADDINGS)
    rest = every - computing
    engines = _engines(rows)
    on_cpu = {kind for engine in engines if engine.name == _CPU for kind in engine.kinds}
    terms = [
        Term(Quantity.MACS, frozenset(computing - _SPREADING - on_cpu)),
        Term(Quantity.TRAFFIC, frozenset(computing - _SPREADING - on_cpu)),
        Term(Quantity.SPREAD, frozenset(computing & _SPREADING - on_cpu)),
        Term(Quantity.TRAFFIC, frozenset(rest - on_cpu)),
        Term(Quantity.KERNEL, frozenset(every - on_cpu)),
        *(_settled(term, rows) for term in (
            Term(Quantity.ARITHMETIC, frozenset(computing & on_cpu)),
            Term(Quantity.MOVED, frozenset(rest & on_cpu)),
        )),
    ]  # fmt: skip
    return CostStructure(
        engines=engines,
        terms=tuple(term for term in terms if term.kinds),
        paddings=_PADDINGS,
        residual=all(row.operators_ms for row in rows),
    )


def _kind_by_kind(computing: set[str], every: set[str]) -> tuple[Term, ...]:
    """Prices of each kind of operator: of processors, whose loops for each are others."""
    return tuple(
        Term(quantity, frozenset({kind}))
        for kind in sorted(every)
        for quantity in (_OF_COMPUTING if kind in computing else _OF_THE_REST)
    )


def _settled(term: Term, rows: Sequence[Measurement]) -> Term:
    """``term`` with the one price that all of its operators paid, if they did: a compiler's rule
    for what it leaves to the CPU is known and need not be fitted.
    """
    import numpy as np

    if not all(row.operators_ms for row in rows):
        return term
    table = OperatorTable.of([row.operators for row in rows])
    units = work(table, term.quantity, ChannelPadding())
    paid = np.isin(table.kind, sorted(term.kinds)) & (units > 0)
    prices = np.concatenate([row.operators_ms for row in rows])[paid] / units[paid]
    if not prices.size or prices.max() > prices.min() * _SAME:
        return term
    return replace(term, known_ms=float(f"{np.median(prices):.4g}"))


def _engines(rows: Sequence[Measurement]) -> tuple[Engine, ...]:
    """Each operator on the engine that ran it most often; ``device`` where none was told."""
    votes: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        engines = row.engines or ("device",) * len(row.operators)
        for operator, engine in zip(row.operators, engines, strict=True):
            votes[operator.kind][engine] += 1
    kinds: defaultdict[str, set[str]] = defaultdict(set)
    for kind, counts in votes.items():
        kinds[counts.most_common(1)[0][0]].add(kind)
    return tuple(Engine(name, frozenset(kinds[name])) for name in sorted(kinds))
