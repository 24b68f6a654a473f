from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest

from latency_models.sources.regression import Measurement, Quantity
from latency_models.sources.regression.defaults import default_structure
from latency_models.sources.regression.fitted import fit, network_ms
from latency_models.sources.regression.model import fit_model
from latency_models.sources.regression.operator_table import OperatorTable
from latency_models.sources.regression.physical import require_enough
from search_spaces import LoweredOperator

from .synthetic import OTHER, table

PIXELS = "DEPTH_TO_SPACE"


def with_cpu(cpu_ms: Callable[[LoweredOperator], float]) -> list[Measurement]:
    """The synthetic device, which leaves the pixels to a CPU."""
    rows = []
    for row in table(multiple=16, operators=True):
        times = tuple(
            cpu_ms(operator) if operator.kind == PIXELS else ms
            for operator, ms in zip(row.operators, row.operators_ms, strict=True)
        )
        engines = tuple("cpu" if k.kind == PIXELS else "npu" for k in row.operators)
        rows.append(replace(row, ms=sum(times), operators_ms=times, engines=engines))
    return rows


def test_a_rule_that_all_operators_keep_is_taken_as_it_is() -> None:
    rows = with_cpu(lambda operator: operator.bytes_moved / 4e5)
    structure = default_structure(rows)
    (term,) = (term for term in structure.terms if PIXELS in term.kinds)
    assert term.quantity is Quantity.MOVED
    assert term.known_ms == pytest.approx(2.5)
    assert structure.open_kinds == {"CONV_2D", *OTHER} - {PIXELS}
    # Nothing that was learned of the others changes it.
    columns = OperatorTable.of([row.operators for row in rows])
    times = fit(structure, rows).operator_ms(columns)[columns.kind == PIXELS]
    known = [operator.bytes_moved / 4e5 for row in rows for operator in row.operators
             if operator.kind == PIXELS]  # fmt: skip
    assert times.tolist() == pytest.approx(known)


def test_what_keeps_no_rule_is_fitted_apart() -> None:
    slower = itertools.count(1.0, 0.01)
    rows = with_cpu(lambda operator: next(slower) * operator.bytes_moved / 4e5)
    structure = default_structure(rows)
    (term,) = (term for term in structure.terms if PIXELS in term.kinds)
    assert term.kinds == frozenset({PIXELS})
    assert term.known_ms is None
    assert PIXELS in structure.open_kinds


def test_where_no_operator_tells_its_time_each_kind_has_prices_of_its_own() -> None:
    rows = [replace(row, operators_ms=()) for row in table(multiple=8)]
    structure = default_structure(rows)
    assert all(len(term.kinds) == 1 for term in structure.terms)
    assert not structure.residual
    assert 2 * len(structure.terms) <= len(rows)
    said = network_ms(fit(structure, rows), [row.operators for row in rows])
    assert said.tolist() == pytest.approx([row.ms for row in rows], rel=0.02)
    # Of few, too, there is something to be said.
    few = default_structure(rows[:4])
    require_enough(few, rows[:4])
    assert len(few.terms) < len(structure.terms)


def test_without_a_cpu_nothing_is_apart() -> None:
    structure = default_structure(table())
    assert [engine.name for engine in structure.engines] == ["device"]
    assert structure.open_kinds == {"CONV_2D", *OTHER}


def test_predictions_are_for_the_software_that_was_measured() -> None:
    rows = table()
    named = [replace(row, stack="Android 15") for row in rows]
    networks = [row.operators for row in rows[:3]]
    plain, of_it = (
        fit_model(default_structure(some), some).predict(networks) for some in (rows, named)
    )
    assert of_it.low_ms.tolist() == pytest.approx(plain.low_ms.tolist())
    assert of_it.high_ms.tolist() == pytest.approx(plain.high_ms.tolist())
    assert default_structure([*named, replace(rows[0], stack="14")]).stack == "Android 15"
    assert default_structure([*named, replace(rows[0], name="again")]).stack == ""
