"""Derives the cost structure of a device of which only measurements are known."""

from __future__ import annotations

import functools
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from search_spaces import LoweredOperator

from ...tflite.kinds import ACTIVATIONS, ELEMENTWISE
from .enlargement import kind_of, name_of
from .measurements import Measurement
from .operator_table import OperatorTable
from .physical import least_rows
from .posterior import fit_posterior
from .quantities import ChannelPadding, Quantity, work
from .structure import CostStructure, Engine, Term

#: The engine of operators that the accelerator does not support.
_CPU = "cpu"
#: Prices that differ by no more than this part count as equal, since tables round times.
_PRICE_TOLERANCE = 0.001
#: Share of the operators of a term that must have an equal price, for the price to be known.
_EQUAL_SHARE = 0.9
#: Quantities for terms of a single kind of operator: with MACs, and without.
_MAC_QUANTITIES = (Quantity.MACS, Quantity.ARITHMETIC, Quantity.OUTPUT, Quantity.PIXELS)
_OTHER_QUANTITIES = (Quantity.TRAFFIC, Quantity.PIXELS)
#: Operators that NPUs run as a convolution of an input with zeros inserted.
_ZERO_INSERTING = frozenset({"TRANSPOSE_CONV"})
#: Sums of two tensors.
_SUMS = frozenset({"ADD", "SUB"})
#: Operators that some compilers fuse into the convolution before them.
_FUSIBLE = _SUMS | ACTIVATIONS
#: Usual paddings of channels.
_PADDINGS = (ChannelPadding(1, 1), ChannelPadding(8, 8), ChannelPadding(16, 16))


def default_structure(rows: Sequence[Measurement]) -> CostStructure:
    """Returns a default cost structure for the device of ``rows``.

    It charges for MACs and traffic of operators with MACs, for traffic of other operators, and a
    fixed cost per operator. Each kind of operator runs on the engine that most measurements name
    for it. Residual trees are fitted if every row has the times of its operators. If no row has
    them, each kind of operator has prices of its own; if there are too few rows for these, the
    structure of the highest evidence is chosen. Predictions are for the software of most rows, or
    for the unnamed software if any row has none.
    """
    computing = {k.kind for row in rows for k in row.operators if k.macs}
    every = {k.kind for row in rows for k in row.operators}
    apart = _terms_by_kind(computing, every)
    if not any(row.operators_ms for row in rows):
        if 2 * len(apart) <= len(rows):
            return CostStructure(
                _engines(rows), apart, paddings=_PADDINGS, stack=_predicted_stack(rows)
            )
        return _most_probable_structure(tuple(rows))
    engines = _engines_by_factor(rows)
    every = {name for engine in engines for name in engine.kinds}
    zero_inserting = {name for name in every if kind_of(name) in _ZERO_INSERTING}
    computing = {name for name in every if kind_of(name) in computing}
    rest = every - computing
    on_cpu = {name for engine in engines if engine.name == _CPU for name in engine.kinds}
    terms = [
        Term(Quantity.MACS, frozenset(computing - zero_inserting - on_cpu)),
        Term(Quantity.TRAFFIC, frozenset(computing - zero_inserting - on_cpu)),
        Term(Quantity.SPREAD, frozenset(zero_inserting - on_cpu)),
        Term(Quantity.TRAFFIC, frozenset(rest - on_cpu)),
        Term(Quantity.KERNEL, frozenset(every - on_cpu)),
        *(_with_common_price(term, rows) for term in (
            Term(Quantity.ARITHMETIC, frozenset(computing & on_cpu)),
            Term(Quantity.MOVED, frozenset(rest & on_cpu)),
        )),
    ]  # fmt: skip
    return CostStructure(
        engines=engines,
        terms=tuple(term for term in terms if term.kinds),
        paddings=_PADDINGS,
        residual=all(row.operators_ms for row in rows),
        stack=_predicted_stack(rows),
    )


def possible_structures(
    engines: tuple[Engine, ...], computing: Collection[str]
) -> tuple[CostStructure, ...]:
    """Returns the structures that a device may have if only times of whole networks are measured.

    In the first, sums and activations cost the same as other operators; in the second, they are
    fused into the convolution before them.
    """
    every = frozenset(kind for engine in engines for kind in engine.kinds)
    rest, within = every - set(computing), _FUSIBLE & every
    apart = (
        Term(Quantity.INFERENCE, every),
        Term(Quantity.KERNEL, every),
        Term(Quantity.MACS, every & set(computing) - _ZERO_INSERTING),
        Term(Quantity.TRAFFIC, every & set(computing) - _ZERO_INSERTING),
        Term(Quantity.SPREAD, every & _ZERO_INSERTING),
        # Operators that move values to other positions have a price of their own.
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
def _most_probable_structure(rows: tuple[Measurement, ...]) -> CostStructure:
    """Returns the structure of the highest evidence given ``rows``.

    Candidates have prices for each kind of operator if there are enough rows, else shared prices.
    """
    computing = {k.kind for row in rows for k in row.operators if k.macs}
    every = {k.kind for row in rows for k in row.operators}
    stack, possible = _predicted_stack(rows), possible_structures(_engines(rows), computing)
    shared = [replace(one, stack=stack) for one in possible]
    by_kind = _terms_by_kind(computing, every)
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


def _terms_by_kind(computing: set[str], every: set[str]) -> tuple[Term, ...]:
    """Returns terms for each kind of operator; processors have a different loop for each kind."""
    return tuple(
        Term(quantity, frozenset({kind}))
        for kind in sorted(every)
        for quantity in (_MAC_QUANTITIES if kind in computing else _OTHER_QUANTITIES)
    )


def _with_common_price(term: Term, rows: Sequence[Measurement]) -> Term:
    """Returns ``term`` with a known price if nearly all of its operators have the same one.

    A compiler estimates the operators that it leaves to the CPU by a fixed price, which therefore
    need not be fitted. Some operators may be bound by another quantity than the others.
    """
    import numpy as np

    if not all(row.operators_ms for row in rows):
        return term
    table = OperatorTable.of([row.operators for row in rows])
    units = work(table, term.quantity, ChannelPadding())
    paid = table.is_one_of(term.kinds) & (units > 0)
    prices = np.concatenate([row.operators_ms for row in rows])[paid] / units[paid]
    if not prices.size:
        return term
    usual = float(np.median(prices))
    equal = np.abs(prices - usual) <= _PRICE_TOLERANCE * usual
    return replace(term, known_ms=float(f"{usual:.4g}")) if equal.mean() >= _EQUAL_SHARE else term


def _predicted_stack(rows: Sequence[Measurement]) -> str:
    """Returns the software to predict: "" if any row names none, else the most frequent one."""
    stacks = Counter(row.stack for row in rows)
    return "" if "" in stacks else stacks.most_common(1)[0][0]


def _engines(rows: Sequence[Measurement]) -> tuple[Engine, ...]:
    """Assigns each kind to the engine that ran it most often; ``device`` if none is known."""
    return _engines_of(_most_frequent(rows, _kind))


def _engines_by_factor(rows: Sequence[Measurement]) -> tuple[Engine, ...]:
    """Like ``_engines``, but a kind that runs on several engines is named with its factors."""
    by_name = _most_frequent(rows, name_of)
    engines: defaultdict[str, set[str]] = defaultdict(set)
    for name, engine in by_name.items():
        engines[kind_of(name)].add(engine)
    return _engines_of(
        {
            name if len(engines[kind_of(name)]) > 1 else kind_of(name): engine
            for name, engine in by_name.items()
        }
    )


def _most_frequent(
    rows: Sequence[Measurement], name: Callable[[LoweredOperator], str]
) -> dict[str, str]:
    """Returns for each name the engine that ran its operators most often."""
    votes: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        engines = row.engines or ("device",) * len(row.operators)
        for operator, engine in zip(row.operators, engines, strict=True):
            votes[name(operator)][engine] += 1
    return {found: counts.most_common(1)[0][0] for found, counts in votes.items()}


def _kind(operator: LoweredOperator) -> str:
    return operator.kind


def _engines_of(engine_by_name: dict[str, str]) -> tuple[Engine, ...]:
    names: defaultdict[str, set[str]] = defaultdict(set)
    for name, engine in engine_by_name.items():
        names[engine].add(name)
    return tuple(Engine(engine, frozenset(names[engine])) for engine in sorted(names))
