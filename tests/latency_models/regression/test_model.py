from __future__ import annotations

import dataclasses
import itertools
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency_models import UnsupportedOperators
from latency_models.sources.regression import (
    ChannelPadding,
    CostStructure,
    Engine,
    Measurement,
    Quantity,
    Term,
)
from latency_models.sources.regression.fitted import FitOfPrices, fit, measured_ms, network_ms
from latency_models.sources.regression.model import fit_model
from latency_models.sources.regression.operator_table import OperatorTable
from latency_models.sources.regression.physical import require_enough
from latency_models.sources.regression.quantities import work
from latency_models.sources.regression.schedule import critical_path
from latency_models.sources.regression.transfer import (
    cross_validate_transfer,
    transfer,
    transfer_model,
)
from latency_models.sources.regression.validation import accuracy, cross_validate, macs_alone
from search_spaces import InputError, InputSpec, LoweredOperator, Tensor, lower

from .synthetic import CONV, OTHER, PADDINGS, SPEC, measured, operator_ms, plain, structure, table


def test_prices_of_a_device_that_keeps_the_rule_are_found() -> None:
    operators = lower(plain(24, 2, anchor=True), SPEC)
    found = fit(structure(), table()).operator_ms(OperatorTable.of([operators]))
    assert np.allclose(found, [operator_ms(operator) for operator in operators], rtol=0.02)


def test_padding_is_told_from_the_times() -> None:
    fitted = fit(structure(paddings=PADDINGS), table(multiple=16))
    assert isinstance(fitted, FitOfPrices)
    assert [one.posterior.padding for one in fitted.posteriors] == [ChannelPadding(16, 1)]
    rows = [measured("fresh", plain(24, 2), multiple=16)]
    assert np.allclose(measured_ms(fitted, rows), rows[0].ms, rtol=0.01)


def test_another_stack_is_a_factor() -> None:
    rows = table()
    later = [
        dataclasses.replace(row, name=f"{row.name}, later", stack="later", ms=0.6 * row.ms)
        for row in rows[:4]
    ]
    fitted = fit(structure(), [*rows, *later])
    for told in (rows, later):
        assert np.allclose(measured_ms(fitted, told), [row.ms for row in told], rtol=0.02)


def test_a_known_price_is_kept() -> None:
    known = Term(Quantity.MACS, CONV, known_ms=3.0)
    terms = (known, *structure().terms[1:])
    operators = lower(plain(20, 2), SPEC)
    said = {
        macs: fit(structure(terms=terms), table()).operator_ms(
            OperatorTable.of([[dataclasses.replace(operator, macs=macs) for operator in operators]])
        )
        for macs in (0, 10**9)
    }
    convs = [operator.kind == "CONV_2D" for operator in operators]
    assert np.allclose((said[10**9] - said[0])[convs], 3.0)


def test_steps_that_no_price_explains_are_learned_from_operators_times() -> None:
    rows = table(multiple=16, operators=True)
    fresh = [measured(f"f{width}", plain(width, 2), multiple=16) for width in (4, 12, 20, 28, 36)]
    errors = {}
    for residual in (False, True):
        said = measured_ms(fit(structure(residual=residual), rows), fresh)
        errors[residual] = np.abs(said / [row.ms for row in fresh] - 1).mean()
    assert errors[True] < errors[False] / 3


def test_constants_are_at_most_half_the_measurements_or_twice_where_they_are_expected() -> None:
    for residual, least in ((True, 6), (False, 2)):
        require_enough(structure(residual=residual), table()[:least])
        said = f"{least - 1} measurements are too few .*; measure {least} or more"
        with pytest.raises(InputError, match=said):
            require_enough(structure(residual=residual), table()[: least - 1])


def test_no_left_out_row_reaches_its_prediction() -> None:
    rows = table(multiple=8)[::2]
    keys = [row.name for row in rows]
    before = {p.name: p.ms for p in cross_validate(structure(paddings=PADDINGS), rows, keys)}
    changed = [dataclasses.replace(rows[3], ms=9 * rows[3].ms)]
    wrong = [*rows[:3], *changed, *rows[4:]]
    after = {p.name: p.ms for p in cross_validate(structure(paddings=PADDINGS), wrong, keys)}
    assert after[rows[3].name] == before[rows[3].name]
    assert after[rows[4].name] != before[rows[4].name]


def test_nine_of_ten_left_out_networks_are_inside_the_interval() -> None:
    random = np.random.default_rng(0)
    noisy = [
        dataclasses.replace(row, ms=row.ms * float(np.exp(random.normal(0, 0.05))))
        for row in table()
    ]
    model = fit_model(structure(), noisy)
    fresh = [measured(f"f{w}{d}", plain(w, d)) for w in range(4, 37, 2) for d in (1, 2, 3, 4)]
    said = model.predict([row.operators for row in fresh])
    times = np.array([row.ms for row in fresh]) * np.exp(random.normal(0, 0.05, len(fresh)))
    inside = (said.low_ms <= times) & (times <= said.high_ms)
    assert inside.mean() >= 0.8
    assert (said.high_ms / said.low_ms < 1.5).all()


def test_an_operator_never_measured_is_bounded_or_refused() -> None:
    rows = [row for row in table() if not row.name.endswith("a")]
    model = fit_model(structure(), rows)
    with_anchor = measured("anchor", plain(20, 3, anchor=True))
    (said, plainly) = (
        model.predict([operators])
        for operators in (with_anchor.operators, lower(plain(20, 3), SPEC))
    )
    assert said.unseen == {"ADD", "CONCATENATION"}
    assert (said.operator_ms > 0).all()
    assert said.low_ms[0] < with_anchor.ms < said.high_ms[0]
    assert said.high_ms[0] / said.low_ms[0] > 1.2 * plainly.high_ms[0] / plainly.low_ms[0]

    tensor = Tensor("x", (8, 8, 8))
    with pytest.raises(UnsupportedOperators, match="MYSTERY was never measured"):
        model.predict([[LoweredOperator("MYSTERY", "m", (tensor,), (tensor,))]])


def test_beyond_the_table_the_interval_grows() -> None:
    model = fit_model(structure(), table(multiple=8))
    within, beyond, smaller = (
        model.predict([lower(plain(width, 3), spec)])
        for width, spec in ((20, SPEC), (200, SPEC), (40, InputSpec(SPEC.height // 4, SPEC.width)))
    )
    assert beyond.high_ms[0] / beyond.low_ms[0] > within.high_ms[0] / within.low_ms[0]
    assert smaller.high_ms[0] / smaller.low_ms[0] > within.high_ms[0] / within.low_ms[0]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 9)), min_size=1, max_size=12))
def test_a_chain_takes_the_sum_and_branches_the_longer(steps: list[tuple[str, int]]) -> None:
    tensors = [Tensor(str(index), (1, 1, 1)) for index in range(len(steps) + 1)]
    engines, times = [engine for engine, _ in steps], [float(ms) for _, ms in steps]
    chain = [LoweredOperator("K", "k", (a,), (b,)) for a, b in itertools.pairwise(tensors)]
    assert sum(
        ms for ms, waited in zip(times, critical_path(chain, engines, times), strict=True) if waited
    ) == pytest.approx(sum(times))
    free = [LoweredOperator("K", "k", (tensors[0],), (b,)) for b in tensors[1:]]
    longest = max(sum(ms for e, ms in steps if e == engine) for engine in set(engines))
    assert sum(
        ms for ms, waited in zip(times, critical_path(free, engines, times), strict=True) if waited
    ) == pytest.approx(longest)


def test_quantities_of_a_convolution_and_of_the_anchor() -> None:
    operators = lower(plain(20, 1, anchor=True), SPEC)
    columns = OperatorTable.of([operators])
    index = {operator.kind: place for place, operator in enumerate(operators)}
    pixels, padding = SPEC.height * SPEC.width, ChannelPadding(16, 16)

    def of(quantity: Quantity, kind: str) -> float:
        return float(work(columns, quantity, padding)[index[kind]])

    # the last conv: 20 channels to 12
    assert of(Quantity.MACS, "CONV_2D") == pytest.approx(pixels * 9 * 32 * 16 / 1e9)
    assert of(Quantity.ARITHMETIC, "CONV_2D") == pytest.approx(pixels * 9 * 20 * 12 / 1e9)
    assert of(Quantity.TRAFFIC, "CONV_2D") == pytest.approx(pixels * (32 + 16) / 1e6)
    assert of(Quantity.MERGES, "CONCATENATION") == pytest.approx(4 * pixels * 16 / 1e6)
    assert of(Quantity.MOVED, "CONCATENATION") == pytest.approx(2 * pixels * 12 / 1e6)
    assert of(Quantity.PIXELS, "CONV_2D") == pytest.approx(pixels / 1e6)
    assert of(Quantity.SPREAD, "CONV_2D") == pytest.approx(pixels * 32 / 1e6)
    assert of(Quantity.MISALIGNED, "ADD") == 0
    assert work(columns, Quantity.INFERENCE, padding).sum() == pytest.approx(1)


def test_the_image_is_kept_until_it_is_read_for_the_last_time() -> None:
    image = SPEC.height * SPEC.width * 3
    for anchor in (False, True):
        operators = lower(plain(20, 2, anchor=anchor), SPEC)
        last = max(i for i, k in enumerate(operators) if any(t.name == "input" for t in k.inputs))
        kept = OperatorTable.of([operators]).image_live.tolist()
        assert kept == [image * (index < last) for index in range(len(operators))]


def test_a_device_from_ten_measurements_and_anothers_model() -> None:
    donor = fit(structure(paddings=PADDINGS), table(multiple=16))
    rows = table(multiple=16, speed=0.3)
    moved = transfer(donor, rows[5:15])
    ms = network_ms(moved, [row.operators for row in rows])
    assert np.allclose(ms, [row.ms for row in rows], rtol=0.1)
    with pytest.raises(InputError, match="9 measurements for 5 prices; take 10"):
        transfer(donor, rows[:9])


def test_a_kind_that_is_dear_on_the_new_device_alone_is_told_by_its_operators() -> None:
    """Six times as dear: concatenations, in networks where they are a small part for the donor."""
    donor = fit(structure(paddings=PADDINGS), table(multiple=16))

    def dear(row: Measurement) -> Measurement:
        operators_ms = tuple(
            ms * (6 if operator.kind == "CONCATENATION" else 1)
            for operator, ms in zip(row.operators, row.operators_ms, strict=True)
        )
        return dataclasses.replace(row, ms=sum(operators_ms), operators_ms=operators_ms)

    rows = [dear(row) for row in table(multiple=16, operators=True)]
    ten, fresh = rows[:10], rows[10:]

    def largest_error(known: list[Measurement]) -> float:
        said = network_ms(transfer(donor, known), [row.operators for row in fresh])
        return float(np.abs(said / [row.ms for row in fresh] - 1).max())

    silent = [dataclasses.replace(row, operators_ms=()) for row in ten]
    assert largest_error(ten) < 0.05
    assert largest_error(ten) < largest_error(silent) / 2


class Fusing:
    """A donor to which concatenations cost next to nothing, in the first ten networks least."""

    tells_stacks_apart: ClassVar[bool] = False
    is_of_its_table: ClassVar[bool] = True

    def __init__(self) -> None:
        self.structure = structure(paddings=PADDINGS)
        self.fitted = fit(self.structure, table(multiple=16))

    def operator_ms(self, columns: OperatorTable, stack: str | None = None) -> npt.NDArray[Any]:
        ms = self.fitted.operator_ms(columns, stack)
        joined = columns.kind == "CONCATENATION"
        return np.where(joined, np.where(columns.network < 10, 1e-9, 1e-3), ms)


def test_a_kind_that_costs_the_donor_next_to_nothing_tells_nothing_of_another_device() -> None:
    rows = table(multiple=16, operators=True)
    moved = transfer(Fusing(), rows[:10])
    ms = network_ms(moved, [row.operators for row in rows])
    assert (ms / [row.ms for row in rows] < 1.2).all()
    assert (ms / [row.ms for row in rows] > 0.5).all()


def test_a_model_from_another_s_says_how_far_off_it_may_be() -> None:
    random = np.random.default_rng(1)
    donor = fit(structure(), table(multiple=16))
    rows = [
        dataclasses.replace(row, ms=row.ms * float(np.exp(random.normal(0, 0.05))))
        for row in table(multiple=16, speed=3.0)
    ]
    model = transfer_model(donor, rows[5:15])
    assert model.rows == tuple(rows[5:15])
    fresh = [
        measured(f"f{w}{d}", plain(w, d, anchor=True), multiple=16, speed=3.0)
        for w in range(8, 33, 2)
        for d in (2, 3)
    ]
    said = model.predict([row.operators for row in fresh])
    inside = [
        low < row.ms < high for row, low, high in zip(fresh, said.low_ms, said.high_ms, strict=True)
    ]
    assert sum(inside) >= 0.8 * len(fresh)
    assert (said.high_ms / said.low_ms < 2).all()
    left_out = cross_validate_transfer(donor, rows[5:15])
    assert {p.name for p in left_out} == {row.name for row in rows[5:15]}
    assert accuracy(left_out).mape_percent < 15


def test_a_model_from_one_whose_engines_overlap_overlaps_too() -> None:
    """A conv and, beside it, a slower resize: another device that is twice as fast in all."""
    side_by_side = structure(side_by_side=True)
    rows = table()
    donor = fit(side_by_side, rows)
    faster = [dataclasses.replace(row, ms=0.5 * row.ms) for row in rows]
    moved = transfer(donor, faster)
    serial = moved.operator_ms(OperatorTable.of([row.operators for row in rows]))
    ms = network_ms(moved, [row.operators for row in rows])
    assert ms.sum() <= serial.sum()
    assert np.allclose(ms, [row.ms for row in faster], rtol=0.15)


def test_operators_times_of_other_software_are_brought_to_the_device_s() -> None:
    rows = table(multiple=16, operators=True)
    later = [
        dataclasses.replace(
            row, name=f"{row.name}, later", stack="later", ms=0.5 * row.ms,
            operators_ms=tuple(0.5 * ms for ms in row.operators_ms),
        )
        for row in rows
    ]  # fmt: skip
    silent = [dataclasses.replace(row, name=f"{row.name}, silent", operators_ms=()) for row in rows]
    fresh = [measured(f"f{width}", plain(width, 2), multiple=16) for width in (4, 12, 20, 28, 36)]
    for others in (later, silent):
        said = measured_ms(fit(structure(residual=True), [*rows, *others]), fresh)
        assert np.allclose(said, [row.ms for row in fresh], rtol=0.05)


def test_accuracy_of_macs_alone_is_worse_where_they_are_not_all() -> None:
    rows = table(multiple=16)[::2]
    keys = [row.name for row in rows]
    model = accuracy(cross_validate(structure(paddings=PADDINGS), rows, keys))
    control = accuracy(macs_alone(rows[:5], rows[5:]))
    assert model.mape_percent < control.mape_percent / 5
    assert model.kendall <= model.spearman <= 1
    with pytest.raises(InputError, match="at least two"):
        accuracy([])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"engines": (Engine("a", CONV | OTHER), Engine("b", CONV))}, "CONV_2D: on two engines"),
        ({"engines": (Engine("a", CONV),)}, "ADD, CONCATENATION, DEPTH_TO_SPACE: on no engine"),
        ({"terms": (Term(Quantity.MACS, CONV),)}, "no term charges for it"),
        ({"free": frozenset({"ADD"})}, "ADD: free, and a term charges for it"),
        ({"free": frozenset({"RESHAPE"})}, "RESHAPE: on no engine"),
        ({"paddings": ()}, "no padding"),
    ],
)
def test_a_structure_at_odds_with_itself_is_refused(
    changes: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        structure(**changes)
    assert isinstance(structure(), CostStructure)
