"""Neural networks that give operators' times, whatever their weights."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency_models.sources.regression import CostStructure, Engine, Measurement, Quantity, Term
from latency_models.sources.regression.model import network_model
from latency_models.sources.regression.operator_features import features
from latency_models.sources.regression.operator_network import OperatorNetwork
from latency_models.sources.regression.operator_table import OperatorTable
from latency_models.sources.regression.operator_variants import variants
from search_spaces import InputError, LoweredOperator, lower

from .synthetic import CONV, SPEC, plain

KINDS = ("ADD", "CONCATENATION", "CONV_2D", "DEPTH_TO_SPACE")
SHAPES = [(1, 0), (4, 1), (16, 2), (7, 5)]
NETWORKS = [lower(plain(width, depth), SPEC) for width, depth in SHAPES]


def random_network(seed: int = 0, width: int = 6) -> OperatorNetwork:
    random = np.random.default_rng(seed)
    table = OperatorTable.of(NETWORKS[:1])
    shown = features(table, KINDS).shape[1]

    def drawn(*shape: int) -> np.ndarray:
        return random.normal(0, 0.3, shape).astype(np.float32)

    return OperatorNetwork(
        kinds=KINDS,
        first=drawn(2, shown, width), first_bias=drawn(2, width),
        middle=drawn(2, 3, 3, width, width), middle_bias=drawn(2, 3, width), steps=(1, 2, 4),
        last=drawn(2, width + shown, width), last_bias=drawn(2, width),
        factor=drawn(2, width), factor_bias=drawn(2),
        error=drawn(2, width), error_bias=drawn(2) - 3,
        variants=np.unique(variants(OperatorTable.of(NETWORKS), KINDS)), unseen_error=0.5,
        cycle_ms=1e-6, pixels=(1e3, 1e6), ms=(0.1, 100.0), networks=10, radius=0.1,
    )  # fmt: skip


NETWORK = random_network()


def structure(known_ms: float | None = None) -> CostStructure:
    """Two engines; what moves pixels has a price that is settled."""
    moving = frozenset({"DEPTH_TO_SPACE", "CONCATENATION", "ADD"})
    return CostStructure(
        (Engine("npu", CONV), Engine("cpu", moving)),
        (Term(Quantity.MACS, CONV), Term(Quantity.MOVED, moving, known_ms=known_ms)),
    )


@given(st.lists(st.sampled_from(range(len(NETWORKS))), min_size=1, max_size=6))
def test_what_is_predicted_beside_a_network_does_not_change_it(chosen: list[int]) -> None:
    together = NETWORK.operator_ms(OperatorTable.of([NETWORKS[place] for place in chosen]))
    alone = [NETWORK.operator_ms(OperatorTable.of([NETWORKS[place]])) for place in chosen]
    assert together == pytest.approx(np.concatenate(alone), rel=1e-4)
    assert (together > 0).all()


def test_many_networks_are_gone_through_in_parts() -> None:
    many = list(itertools.islice(itertools.cycle(NETWORKS), 2000))
    ms = NETWORK.operator_ms(OperatorTable.of(many))
    once = NETWORK.operator_ms(OperatorTable.of(NETWORKS))
    assert ms == pytest.approx(np.tile(once, 500), rel=1e-4)


def test_an_operator_costs_what_its_neighbors_make_of_it() -> None:
    inner, _ = (OperatorTable.of([NETWORKS[place]]) for place in (2, 3))
    ms = NETWORK.operator_ms(inner)
    less = NETWORK.operator_ms(OperatorTable.of([NETWORKS[2][:-1]]))
    assert ms[-2] != pytest.approx(less[-1], rel=1e-3)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    NETWORK.write(tmp_path / "operators.npz")
    data = (tmp_path / "operators.npz").read_bytes()
    read = OperatorNetwork.read(data, "operators.npz")
    table = OperatorTable.of(NETWORKS)
    assert read.operator_ms(table) == pytest.approx(NETWORK.operator_ms(table), rel=0.01)
    assert (read.kinds, read.pixels, read.ms) == (KINDS, NETWORK.pixels, NETWORK.ms)
    assert (read.networks, read.radius, read.cycle_ms) == (10, 0.1, 1e-6)
    assert (read.steps, read.unseen_error, read.variants.tolist()) == (
        (1, 2, 4), 0.5, NETWORK.variants.tolist(),
    )  # fmt: skip
    assert read.expected_errors(table) == pytest.approx(NETWORK.expected_errors(table), rel=0.01)
    read.write(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == data


@given(st.binary(max_size=64) | st.integers(0, 3000).map(lambda place: place))
def test_bytes_that_are_none_are_refused(data: bytes | int) -> None:
    if isinstance(data, int):
        data = WRITTEN[:data]
    with pytest.raises(InputError, match="here: holds no network of operators"):
        OperatorNetwork.read(data, "here")


def _written() -> bytes:
    import io

    out = io.BytesIO()
    np.savez_compressed(
        out, **{f.name: getattr(NETWORK, f.name) for f in dataclasses.fields(NETWORK)}
    )
    return out.getvalue()


WRITTEN = _written()


def test_weights_that_do_not_fit_each_other_are_refused() -> None:
    with pytest.raises(InputError, match="last is of"):
        dataclasses.replace(NETWORK, last=NETWORK.last[:, 1:])
    with pytest.raises(InputError, match="error is of"):
        dataclasses.replace(NETWORK, error=NETWORK.error[:, 1:])
    with pytest.raises(InputError, match="must be positive"):
        dataclasses.replace(NETWORK, unseen_error=0.0)
    with pytest.raises(InputError, match="must be positive"):
        dataclasses.replace(NETWORK, radius=0.0)
    with pytest.raises(InputError, match="steps"):
        dataclasses.replace(NETWORK, steps=(1, 2))
    with pytest.raises(InputError, match="steps"):
        dataclasses.replace(NETWORK, steps=(1, 0, 2))


def test_weights_of_other_features_are_refused() -> None:
    fewer = dataclasses.replace(NETWORK, kinds=KINDS[:2])
    with pytest.raises(InputError, match="trained on"):
        fewer.operator_ms(OperatorTable.of(NETWORKS))


def rows(stack: str = "", factor: float = 1.0) -> list[Measurement]:
    ms = network_model(structure(0.5), [measurement(n, 1.0) for n in NETWORKS], NETWORK)
    said = ms.predict(NETWORKS).ms.tolist()
    return [
        dataclasses.replace(measurement(network, factor * ms), stack=stack)
        for network, ms in zip(NETWORKS, said, strict=True)
    ]


def measurement(operators: tuple[LoweredOperator, ...], ms: float) -> Measurement:
    return Measurement(f"of {len(operators)} operators, {operators[0].macs}", operators, ms)


def test_settled_prices_are_kept_to() -> None:
    said = network_model(structure(0.5), rows(), NETWORK).predict(NETWORKS)
    for operator, ms in zip((o for n in NETWORKS for o in n), said.operator_ms, strict=True):
        if operator.kind == "DEPTH_TO_SPACE":
            moved = operator.inputs[0].bytes + operator.outputs[0].bytes
            assert ms == pytest.approx(0.5 * moved / 1e6)


def test_another_software_is_as_much_slower_as_its_measurements_say() -> None:
    own = network_model(structure(0.5), rows(), NETWORK)
    model = network_model(structure(0.5), [*rows("6.0", 1.25)], NETWORK)
    slower = model.predict(NETWORKS, "6.0").ms
    assert slower == pytest.approx(1.25 * own.predict(NETWORKS).ms)
    assert model.predict(NETWORKS, "").ms == pytest.approx(own.predict(NETWORKS).ms)


def test_the_interval_grows_beyond_the_sizes_that_were_learned() -> None:
    def width(model_pixels: tuple[float, float]) -> float:
        network = dataclasses.replace(NETWORK, pixels=model_pixels)
        said = network_model(structure(0.5), rows(), network).predict(NETWORKS[:1])
        return float(said.high_ms[0] / said.low_ms[0])

    assert width((1e6, 2e6)) > 2 * width((1e3, 1e6))


@pytest.mark.parametrize("known_ms", [None, 0.5])
def test_the_interval_is_the_mean_error_of_the_operators_by_their_times(
    known_ms: float | None,
) -> None:
    said = network_model(structure(known_ms), rows(), NETWORK).predict(NETWORKS)
    errors = NETWORK.expected_errors(said.table)
    if known_ms is not None:  # what has a settled price has no error
        errors[said.table.kind != "CONV_2D"] = 0.0
    mean = said.table.per_network(errors * said.operator_ms) / said.ms
    assert said.high_ms / said.low_ms == pytest.approx(np.exp(2 * 0.1 * mean))


def test_operators_of_a_variant_that_was_never_trained_on_widen_the_interval() -> None:
    operators = list(NETWORKS[1])
    place = next(place for place, one in enumerate(operators) if one.kind == "CONV_2D")
    conv = operators[place]
    inner, filters = conv.inputs[0].shape[2], conv.outputs[0].shape[2]
    wide = dataclasses.replace(conv, window=7, weight_bytes=49 * inner * filters + filters)
    others = [*operators[:place], wide, *operators[place + 1 :]]
    known, unknown = (
        NETWORK.expected_errors(OperatorTable.of([network])) for network in (operators, others)
    )
    assert known.max() < 0.5
    assert unknown[place] == pytest.approx(0.5)
    assert np.delete(unknown, place).max() < 0.5
    model = network_model(structure(0.5), rows(), NETWORK)
    before, after = map(model.predict, ([operators], [others]))
    assert after.high_ms[0] / after.low_ms[0] > before.high_ms[0] / before.low_ms[0]
    share = after.operator_ms[place] / after.ms[0]
    assert before.reasons == ((),)
    assert after.reasons == (("CONV_2D",) if share >= 0.25 else (),)
