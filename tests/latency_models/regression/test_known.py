"""What a model says of networks that its own table holds."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency_models import Latency, LatencyRequest
from latency_models.sources.regression import Measurement
from latency_models.sources.regression.fitted import fit
from latency_models.sources.regression.known import Known
from latency_models.sources.regression.model import fit_model
from latency_models.sources.regression.source import RegressionSource
from latency_models.sources.regression.transfer import transfer_model
from search_spaces import Graph, LoweredOperator, Tensor

from .synthetic import SPEC, measured, plain, structure, table

STACK = "2021"


def renamed(operators: tuple[LoweredOperator, ...], prefix: str) -> tuple[LoweredOperator, ...]:
    """The same network, whatever its tensors and operators are called."""

    def tensors(those: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(dataclasses.replace(t, name=f"{prefix}{t.name}") for t in those)

    return tuple(
        dataclasses.replace(
            operator, name=f"{prefix}{operator.name}", inputs=tensors(operator.inputs),
            outputs=tensors(operator.outputs),
        )
        for operator in operators
    )  # fmt: skip


def said_of(rows: list[Measurement], graph: Graph) -> Latency:
    source = RegressionSource(fit_model(structure(stack=STACK), rows))
    return source.measure(LatencyRequest.of_graph(graph, SPEC, bytes))


def rows_with(changed: dict[str, float], stack: str = STACK) -> list[Measurement]:
    """The table, all of ``STACK``, but for times of some rows, which are of ``stack``."""
    rows = [dataclasses.replace(row, stack=STACK) for row in table()]
    return [
        dataclasses.replace(row, ms=changed[row.name] * row.ms, stack=stack)
        if row.name in changed
        else row
        for row in rows
    ]


def test_the_interval_of_a_measured_network_reaches_to_its_measurement() -> None:
    for factor in (0.9, 1.1):
        rows = rows_with({"w20d1": factor})
        (row,) = (row for row in rows if row.name == "w20d1")
        said = said_of(rows, plain(20, 1))
        assert (said.low_ms, said.high_ms) == tuple(sorted((said.ms, row.ms)))
        assert said.low_ms < said.high_ms
        assert said.interval.endswith(f"what was measured of this very network: {row.ms:g} ms")
        other = said_of(rows, plain(24, 1))
        assert other.low_ms < other.ms < other.high_ms


def test_what_other_software_took_is_no_measurement_of_this_one() -> None:
    said = said_of(rows_with({"w20d1": 0.6, "w36d1": 0.6}, "later"), plain(20, 1))
    assert said.low_ms < said.ms < said.high_ms


@given(st.sampled_from(table()), st.text("xyz", max_size=2))
def test_a_network_is_known_by_what_runs_and_not_by_names(row: Measurement, prefix: str) -> None:
    known = Known.of(table())
    assert known.measured(renamed(row.operators, prefix)) == (row,)


def test_another_network_of_the_same_operators_is_not_known() -> None:
    known = Known.of(table())
    assert not known.measured(measured("other", plain(24, 1)).operators)
    first, *others = measured("twice", plain(20, 1)).operators
    assert not known.measured((dataclasses.replace(first, macs=first.macs + 1), *others))


@pytest.mark.parametrize("stack", ["", "Android 15"])
def test_a_donor_s_software_is_not_that_of_the_device(stack: str) -> None:
    """Else its measurements were taken for those of other software, and none was known."""
    donor = fit(structure(stack=STACK), rows_with({}))
    rows = [dataclasses.replace(row, ms=3.3 * row.ms, stack=stack) for row in table()]
    source = RegressionSource(transfer_model(donor, rows))
    said = source.measure(LatencyRequest.of_graph(plain(20, 1), SPEC, bytes))
    assert "measured of this very network" in said.interval
    assert "stack" not in dict(said.conditions)
