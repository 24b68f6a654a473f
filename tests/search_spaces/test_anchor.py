"""The anchor space: what it holds, and what it asks of a trial."""

from __future__ import annotations

from typing import Any

import pytest

from search_spaces import Conv, Graph, InputSpec, infer, quantization_groups, zoo
from search_spaces.spaces.anchor import sample

from .trials import FixedTrial, RandomTrial

ABPN = {
    "residual": "anchor", "depth": 4, "width_1": 28, "groups_1": 1, "width_2": 28, "groups_2": 1,
    "tail": "double",
}  # fmt: skip


def convs(graph: Graph) -> list[tuple[int, int, int]]:
    return [
        (node.operator.kernel, node.operator.filters, node.operator.groups)
        for node in graph.nodes
        if isinstance(node.operator, Conv)
    ]


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_abpn_is_a_point_of_it(scale: int) -> None:
    assert sample(FixedTrial(ABPN), scale).hash == zoo.abpn(scale).hash


def test_asks_in_a_fixed_order() -> None:
    trial = FixedTrial(ABPN)
    sample(trial)
    assert trial.asked == list(ABPN)


def test_depth_1_has_no_second_half() -> None:
    trial = FixedTrial({**ABPN, "depth": 1, "width_1": 8, "groups_1": 4, "tail": "single"})
    assert convs(sample(trial)) == [(3, 8, 1), (3, 8, 4), (1, 8, 1), (3, 27, 1)]
    assert trial.asked == ["residual", "depth", "width_1", "groups_1", "tail"]


def test_an_odd_layer_belongs_to_the_first_half() -> None:
    values = {**ABPN, "residual": "none", "depth": 3, "width_1": 8, "width_2": 12}
    widths = [filters for _, filters, _ in convs(sample(FixedTrial(values)))]
    assert widths == [8, 8, 8, 12, 27, 27]


@pytest.mark.parametrize(("width", "projections"), [(16, 0), (24, 1)])
def test_feature_residual_projects_only_where_widths_differ(width: int, projections: int) -> None:
    values = {**ABPN, "residual": "feature", "width_1": 16, "width_2": width}
    graph = sample(FixedTrial(values))
    assert [kernel for kernel, _, _ in convs(graph)].count(1) == projections
    assert sum(node.operator.kind == "add" for node in graph.nodes) == 1


@pytest.mark.parametrize("seed", range(100))
def test_every_sample_can_be_built_and_quantized(seed: int) -> None:
    graph = sample(RandomTrial(seed))
    assert graph.scale == 3
    quantization_groups(graph)


def test_the_same_answers_give_the_same_network() -> None:
    assert sample(RandomTrial(5)).hash == sample(RandomTrial(5)).hash


EXTREMES: list[tuple[dict[str, Any], int]] = [
    ({"width_1": 64, "width_2": 64, "depth": 8, "groups_1": 1, "groups_2": 1}, 319_000),
    ({"width_1": 8, "groups_1": 4, "depth": 1, "tail": "single", "residual": "none"}, 2_400),
]


@pytest.mark.parametrize(("values", "parameters"), EXTREMES)
def test_largest_and_smallest(values: dict[str, Any], parameters: int) -> None:
    graph = sample(FixedTrial({**ABPN, **values}))
    figures = infer(graph, InputSpec(360, 640))
    assert figures.parameters == pytest.approx(parameters, rel=0.01)
