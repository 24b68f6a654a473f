"""The cost structure of a device of which only measurements are known."""

from __future__ import annotations

import functools
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace

from ...tflite.kinds import ACTIVATIONS, ELEMENTWISE
from .measurements import Measurement
from .operator_table import OperatorTable
from .physical import least_rows
from .posterior import fit_posterior
from .quantities import ChannelPadding, Quantity, work
from .structure import CostStructure, Engine, Term

#: The engine of operators that the accelerator does not support.
_CPU = "cpu"
#: Prices that differ by less than this factor are equal: a table rounds times.
_SAME = 1.001
#: Quantities that a single kind of operator may be charged for.
_OF_COMPUTING = (Quantity.MACS, Quantity.ARITHMETIC, Quantity.OUTPUT, Quantity.PIXELS)
_OF_THE_REST = (Quantity.TRAFFIC, Quantity.PIXELS)
#: Operators that NPUs run as a convolution of an input with zeros inserted.
_SPREADING = frozenset({"TRANSPOSE_CONV"})
#: Sums of two tensors.
_SUMS = frozenset({"ADD", "SUB"})
#: Operators that some compilers fuse into the convolution before them.
_WITHIN = _SUMS | ACTIVATIONS
#: Usual paddings of channels.
_PADDINGS = (ChannelPadding(1, 1), ChannelPadding(8, 8), ChannelPadding(16, 16))


def default_structure(rows: Sequence[Measurement]) -> CostStructure:
    """MACs and traffic of operators with MACs, traffic of the others, and a cost per operator.

    Each kind of operator runs on the engine that most measurements name for it. Residual trees are
    fitted if every row has the times of its operators. If no row has, each kind of operator has
    prices of its own; with too few rows for these, the structure of the highest evidence is taken.
    Predictions are for the software that was measured, of several unless one has no name for that
    of most rows.
    """
    computing = {k.kind for row in rows for k in row.operators if k.macs}
    every = {k.kind for row in rows for k in row.operators}
    apart = _kind_by_kind(computing, every)
    if not any(row.operators_ms for row in rows):
        if 2 * len(apart) <= len(rows):
            return CostStructure(_engines(rows), apart, paddings=_PADDINGS, stack=_stack(rows))
        return _most_probable(tuple(rows))
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
        stack=_stack(rows),
    )


def possible_structures(
    engines: tuple[Engine, ...], computing: Collection[str]
) -> tuple[CostStructure, ...]:
    """Structures that a device may have of which only times of whole networks are measured.

    In the first, sums and activations cost as other operators do; in the second, they are fused
    into the convolution before them.
    """
    every = frozenset(kind for engine in engines for kind in engine.kinds)
    rest, within = every - set(computing), _WITHIN & every
    apart = (
        Term(Quantity.INFERENCE, every),
        Term(Quantity.KERNEL, every),
        Term(Quantity.MACS, every & set(computing) - _SPREADING),
        Term(Quantity.TRAFFIC, every & set(computing) - _SPREADING),
        Term(Quantity.SPREAD, every & _SPREADING),
        # Operators that move values to other places have another price.
        Term(Quantity.TRAFFIC, rest & ELEMENTWISE),
        Term(Quantity.TRAFFIC, rest - ELEMENTWISE),
    )
    fused = Term(Quantity.OPERANDS, within & _SUMS), Term(Quantity.FUSED, within - _SUMS)
    return tuple(
        CostStructure(
            engines, tuple(term for term in terms if term.kinds), paddings=_PADDINGS, fused=kinds
        )
        for terms, kinds in ((apart, frozenset[str]()), (apart + fused, within))
    )


@functools.lru_cache(maxsize=2)
def _most_probable(rows: tuple[Measurement, ...]) -> CostStructure:
    """The structure of the highest evidence given ``rows``.

    Candidates have prices for each kind of operator if there are enough rows, and shared ones else.
    """
    computing = {k.kind for row in rows for k in row.operators if k.macs}
    every = {k.kind for row in rows for k in row.operators}
    stack, possible = _stack(rows), possible_structures(_engines(rows), computing)
    shared = [replace(one, stack=stack) for one in possible]
    by_kind = _kind_by_kind(computing, every)
    within = frozenset({Quantity.OPERANDS, Quantity.FUSED})
    apart = [
        replace(one, terms=by_kind + tuple(term for term in one.terms if term.quantity in within))
        for one in shared
    ]
    for structures in (apart, shared):
        enough = [one for one in structures if least_rows(one, rows) <= len(rows)]
        if enough:
            break
    return max(enough or shared[:1], key=lambda one: fit_posterior(one, rows)[0].posterior.evidence)


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


def _stack(rows: Sequence[Measurement]) -> str:
    """Another one than those of the table would be predicted by a guess."""
    stacks = Counter(row.stack for row in rows)
    return "" if "" in stacks else stacks.most_common(1)[0][0]


def _engines(rows: Sequence[Measurement]) -> tuple[Engine, ...]:
    """Each kind on the engine that ran it most often; ``device`` if no engines are known."""
    votes: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        engines = row.engines or ("device",) * len(row.operators)
        for operator, engine in zip(row.operators, engines, strict=True):
            votes[operator.kind][engine] += 1
    kinds: defaultdict[str, set[str]] = defaultdict(set)
    for kind, counts in votes.items():
        kinds[counts.most_common(1)[0][0]].add(kind)
    return tuple(Engine(name, frozenset(kinds[name])) for name in sorted(kinds))
