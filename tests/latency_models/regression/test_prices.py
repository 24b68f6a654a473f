"""What is charged where operators run as one, what a table settles, and what structures are."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from latency_models.sources.regression import (
    ChannelPadding,
    CostStructure,
    Measurement,
    Quantity,
    Term,
)
from latency_models.sources.regression.fitted import FitOfPrices, fit
from latency_models.sources.regression.model import fit_model
from latency_models.sources.regression.network_structures import network_structures, residuals_of
from latency_models.sources.regression.operator_table import OperatorTable
from latency_models.sources.regression.spread import LEAST_RADIUS
from latency_models.sources.regression.work import work_matrix
from search_spaces import Graph, GraphBuilder, LoweredOperator, lower

from .synthetic import CONV, OTHER, SPEC, measured, plain, structure, table

FUSING = (
    Term(Quantity.MACS, CONV),
    Term(Quantity.TRAFFIC, CONV),
    Term(Quantity.TRAFFIC, OTHER),
    Term(Quantity.OPERANDS, frozenset({"ADD"})),
)


def two_branches() -> Graph:
    """The results of a large and of a small convolution added up, and the image beside them."""
    net = GraphBuilder()
    both = net.add(net.conv(net.input, 12, kernel=1), net.conv(net.input, 12, kernel=5))
    return net.image(net.add(net.conv(both, 12), net.concat(*[net.input] * 4)), 2)


def charged(graph: Graph, **changes: object) -> tuple[tuple[LoweredOperator, ...], np.ndarray]:
    """Its operators, and what each term of ``FUSING`` charges them for."""
    operators = lower(graph, SPEC)
    described = structure(terms=FUSING, **changes)
    return operators, work_matrix(described, OperatorTable.of([operators]), ChannelPadding())


def test_an_addition_behind_a_convolution_pays_for_what_it_reads_beside_it() -> None:
    operators, work = charged(two_branches(), fused=frozenset({"ADD"}))
    adds = [place for place, operator in enumerate(operators) if operator.kind == "ADD"]
    image_mb = SPEC.height * SPEC.width * 12 / 1e6
    assert work[adds, 2].tolist() == [0, 0]  # as an operator of its own
    assert work[adds, 3].tolist() == pytest.approx([0, image_mb])
    apart = charged(two_branches())[1]
    assert (apart[adds, 2] > 0).all()
    assert not apart[adds, 3].any()


def test_of_two_convolutions_that_are_added_the_smaller_writes_nothing() -> None:
    operators, work = charged(two_branches(), fused=frozenset({"ADD"}))
    convs = {o.window: place for place, o in enumerate(operators) if o.kind == "CONV_2D"}
    small, large = convs[1], convs[5]
    assert work[small, 1] == 0 < work[large, 1]
    assert (work[[small, large], 0] > 0).all()
    assert (charged(two_branches())[1][[small, large], 1] > 0).all()


def test_a_result_that_somebody_else_reads_too_is_not_fused() -> None:
    net = GraphBuilder()
    first = net.conv(net.input, 12)
    graph = net.image(net.add(first, net.conv(first, 12)), 2)
    _, work = charged(graph, fused=frozenset({"ADD"}))
    assert work[:, 3].sum() == pytest.approx(SPEC.height * SPEC.width * 12 / 1e6)


def test_what_is_free_at_the_ends_costs_in_the_middle() -> None:
    operators = lower(plain(8, 1), SPEC)
    first, last = operators[0].inputs[0], operators[-1].outputs[0]
    between = operators[0].outputs[0]
    quantize = [
        LoweredOperator(
            "QUANTIZE", f"q{place}", (source,), (dataclasses.replace(source, name=f"q{place}"),)
        )
        for place, source in enumerate((first, between, last))
    ]
    kinds = frozenset({"QUANTIZE"})
    free = CostStructure(
        (*structure().engines, dataclasses.replace(structure().engines[0], name="q", kinds=kinds)),
        (*FUSING, Term(Quantity.OUTPUT, kinds)),
        free_at_ends=kinds,
    )
    network = OperatorTable.of(
        [(quantize[0], operators[0], quantize[1], *operators[1:], quantize[2])]
    )
    paid = work_matrix(free, network, ChannelPadding())[network.kind == "QUANTIZE", -1]
    # Nobody reads the one between: it is an end, too; with a reader it is none.
    assert not paid.any()
    read = dataclasses.replace(operators[1], inputs=quantize[1].outputs)
    network = OperatorTable.of([(quantize[0], operators[0], quantize[1], read, *operators[2:])])
    paid = work_matrix(free, network, ChannelPadding())[network.kind == "QUANTIZE", -1]
    assert paid.tolist() == pytest.approx([0, between.bytes / 1e6])


def test_what_always_comes_together_is_not_settled_but_its_sum_is() -> None:
    """An addition is only ever seen beside a concatenation; then it comes alone."""
    terms = (*structure().terms[:2], *(Term(Quantity.TRAFFIC, frozenset({k})) for k in OTHER))
    rows = table()
    model = fit_model(structure(terms=terms), rows, LEAST_RADIUS)
    net = GraphBuilder()
    features = net.conv(net.input, 20, relu=True)
    for _ in range(3):
        features = net.add(features, net.conv(features, 20))
    alone = lower(net.image(net.conv(features, 12), 2), SPEC)
    together = rows[-1].operators
    predicted = model.predict([together, alone])
    width = predicted.high_ms / predicted.low_ms
    assert width[1] > 1.5 * width[0]
    assert "ADD" in predicted.reasons[1]
    assert "ADD" not in predicted.reasons[0]
    true = measured("alone", net.graph).ms
    assert predicted.low_ms[1] < true < predicted.high_ms[1]


def test_a_table_that_fits_badly_tells_no_less_than_the_speed_of_the_device() -> None:
    """A large radius ends where intervals would of a device of which only the speed is known."""
    terms = (*structure().terms[:2], *(Term(Quantity.TRAFFIC, frozenset({k})) for k in OTHER))
    rows = table()
    net = GraphBuilder()
    unsettled = lower(net.image(net.add(*[net.conv(net.input, 12)] * 2), 2), SPEC)
    networks = [rows[-1].operators, unsettled]
    usual, bad, worse = (
        fit_model(structure(terms=terms), rows, radius).predict(networks)
        for radius in (LEAST_RADIUS, 30.0, 300.0)
    )
    widths = [found.high_ms / found.low_ms for found in (usual, bad, worse)]
    assert (widths[1] > widths[0]).all()
    assert widths[1].tolist() == pytest.approx(widths[2].tolist())
    assert (widths[2] < 100).all()


def test_a_padding_that_the_table_cannot_tell_widens_the_interval() -> None:
    """Widths that are multiples of sixteen at both ends of every convolution but the first."""

    def wide(name: str, width: int, depth: int) -> Measurement:
        net = GraphBuilder()
        features = net.input
        for _ in range(depth + 1):
            features = net.conv(features, width, relu=True)
        return measured(name, net.image(net.conv(features, 48), 4), multiple=16)

    rows = [wide(f"w{w}d{d}", w, d) for w in (16, 32, 48) for d in (1, 2, 3, 4)]
    paddings = (ChannelPadding(8, 1), ChannelPadding(16, 1))
    fitted = fit(structure(paddings=paddings), rows)
    assert isinstance(fitted, FitOfPrices)
    assert {one.posterior.padding for one in fitted.posteriors} == set(paddings)
    assert sum(one.weight for one in fitted.posteriors) == pytest.approx(1)
    model = fit_model(structure(paddings=paddings), rows, LEAST_RADIUS)
    odd, even = (model.predict([wide("x", width, 3).operators]) for width in (24, 32))
    widths = [np.log(one.high_ms / one.low_ms) for one in (odd, even)]
    assert widths[0] > 1.3 * widths[1]


def test_structures_are_families_operators_and_residuals() -> None:
    rows = [
        dataclasses.replace(row, family="anchored" if row.name.endswith("a") else row.name[:3])
        for row in table()
    ]
    found = network_structures(rows)
    anchored = tuple(place for place, row in enumerate(rows) if row.name.endswith("a"))
    assert found["family anchored"] == anchored
    # The same rows are left out once, and what all or most have not at all.
    assert "with CONCATENATION" not in found
    assert "with CONV_2D" not in found
    assert list(found.values()).count(anchored) == 1


def test_residuals_are_told_by_what_is_joined() -> None:
    assert residuals_of(lower(plain(8, 1), SPEC)) == frozenset()
    assert residuals_of(lower(plain(8, 1, anchor=True), SPEC)) == {"the image added"}
    assert residuals_of(lower(two_branches(), SPEC)) == {"the image added", "features added"}
