"""Engines that depend on the factor by which an operator enlarges."""

from __future__ import annotations

from dataclasses import replace

import pytest

from latency_models.source import UnsupportedOperators
from latency_models.sources.regression import CostStructure, Engine, Measurement, Quantity, Term
from latency_models.sources.regression.defaults import default_structure
from latency_models.sources.regression.enlargement import kind_of, name_of
from latency_models.sources.regression.model import fit_model
from latency_models.sources.regression.operator_table import OperatorTable
from search_spaces import (
    Conv,
    Graph,
    GraphBuilder,
    InputError,
    LoweredOperator,
    Resize,
    Tensor,
    lower,
)

from .synthetic import CONV, SPEC, operator_ms

RESIZE = "RESIZE_NEAREST_NEIGHBOR"


def resized(width: int, depth: int, factor: int) -> Graph:
    """Convolutions, and a resize by ``factor``."""
    net = GraphBuilder()
    features = net.input
    for _ in range(depth):
        features = net.conv(features, width, relu=True)
    large = net.add_node(Resize(factor), features)
    net.add_node(Conv(kernel=1, filters=3), large)
    return net.graph


def measured(width: int, depth: int, factor: int) -> Measurement:
    """A device that leaves a resize by 3 to the CPU, where it takes 4 ms a MB, else 1.5 ms."""
    operators = lower(resized(width, depth, factor), SPEC)
    on_cpu = [name_of(operator) == f"{RESIZE} x3" for operator in operators]
    times = tuple(
        operator.bytes_moved * 4e-6 if cpu else operator_ms(operator)
        for operator, cpu in zip(operators, on_cpu, strict=True)
    )
    engines = tuple("cpu" if cpu else "npu" for cpu in on_cpu)
    name = f"{width}, {depth}, {factor}"
    return Measurement(name, operators, sum(times), operators_ms=times, engines=engines)


ROWS = [
    measured(width, depth, factor)
    for width in (4, 12, 20, 32)
    for depth in (1, 2, 4)
    for factor in (2, 3)
]


def test_a_kind_on_two_engines_is_named_with_its_factors() -> None:
    structure = default_structure(ROWS)
    assert structure.engine_of(f"{RESIZE} x3") == "cpu"
    assert structure.engine_of(f"{RESIZE} x2") == "npu"
    assert structure.engine_of("CONV_2D") == "npu"
    (term,) = (term for term in structure.terms if f"{RESIZE} x3" in term.kinds)
    assert term.known_ms == pytest.approx(4.0)


def test_each_factor_is_charged_by_its_own_engine() -> None:
    model = fit_model(default_structure(ROWS), ROWS)
    for row in (measured(16, 3, 2), measured(16, 3, 3)):
        predicted = model.predict([row.operators])
        assert predicted.ms[0] == pytest.approx(row.ms, rel=0.1)


def test_a_factor_that_was_never_measured_is_refused_by_its_name() -> None:
    model = fit_model(default_structure(ROWS), ROWS)
    with pytest.raises(UnsupportedOperators, match=f"{RESIZE} x4 was never measured"):
        model.predict([lower(resized(16, 3, 4), SPEC)])


def test_a_kind_on_one_engine_is_named_without_a_factor() -> None:
    on_npu = [replace(row, engines=("npu",) * len(row.operators)) for row in ROWS]
    structure = default_structure(on_npu)
    assert structure.engine_of(RESIZE) == structure.engine_of(f"{RESIZE} x7") == "npu"
    assert {kind for engine in structure.engines for kind in engine.kinds} == {RESIZE, "CONV_2D"}


@pytest.mark.parametrize("sides", [(5, 8), (9, 4), (7, 7), (4, 10), (3, 1000)])
def test_a_table_and_an_operator_have_the_same_names(sides: tuple[int, int]) -> None:
    """Operators of other tools resize by any factor; one of constants alone has no input."""
    before, after = (Tensor(f"of {side}", (6, side, 3)) for side in sides)
    resize = LoweredOperator(RESIZE, "resize", (before,), (after,))
    constant = LoweredOperator(RESIZE, "constant", (), (Tensor("constant", (6, 8, 3)),))
    for operator in (resize, constant):
        assert OperatorTable.of([[operator]]).names[0] == (name_of(operator),)


def test_names_select_their_operators() -> None:
    table = OperatorTable.of([row.operators for row in ROWS])
    every, third = table.is_one_of({RESIZE}), table.is_one_of({f"{RESIZE} x3"})
    assert every.sum() == len(ROWS)
    assert third.sum() == len(ROWS) // 2
    assert (table.is_one_of({f"{RESIZE} x2", f"{RESIZE} x3"}) == every).all()
    assert kind_of(f"{RESIZE} x3") == kind_of(RESIZE) == RESIZE


@pytest.mark.parametrize(
    ("names", "residual", "message"),
    [
        ({RESIZE, f"{RESIZE} x3"}, True, "named without a factor and as"),
        ({"RELU x2"}, True, "RELU does not enlarge"),
        ({f"{RESIZE} x3"}, False, "set residual = true"),
    ],
)
def test_contradictions_are_refused(names: set[str], residual: bool, message: str) -> None:
    every = CONV | names
    with pytest.raises(InputError, match=message):
        CostStructure((Engine("npu", every),), (Term(Quantity.TRAFFIC, every),), residual=residual)
