"""What is lowered is what the converter writes, and the file computes what was trained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from latency_models import WeightGranularity
from latency_models.tflite.requests import (
    Levels,
    operators_of_model,
    read_tflite,
    require_integer_only,
    require_super_resolution,
    tiling_of_model,
)
from search_spaces import (
    Graph,
    InputSpec,
    LeakyRelu,
    LoweredOperator,
    Tensor,
    lower,
    quantization_groups,
    tiling_of,
    zoo,
)
from search_spaces.spaces import mobile
from search_spaces.spaces.anchor import sample

from .conversion import Converted, converted
from .small_graphs import SMALL
from .trials import RandomTrial

SPEC = InputSpec(12, 16)
#: Grey levels between the file, computed by XNNPACK, and the fake-quantized network. TFLite's own
#: operators are as close, but for a bilinear resize of the image by 3: up to 21 levels, 2 to 3 on
#: average.
TOLERANCE = 2
#: Of the variance: 20 dB. A lost clip, or a scale that is not shared, is far above.
ALIKE = 0.01


def unnamed(operators: tuple[LoweredOperator, ...]) -> Iterator[LoweredOperator]:
    """Kernels whose tensors are called by the order in which they appear."""
    names: dict[str, str] = {}

    def rename(tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(
            replace(tensor, name=names.setdefault(tensor.name, str(len(names))))
            for tensor in tensors
        )

    for operator in operators:
        inputs = rename(operator.inputs)
        yield replace(operator, name="", inputs=inputs, outputs=rename(operator.outputs))


def check(
    graph: Graph,
    *,
    granularity: WeightGranularity = WeightGranularity.CHANNEL,
) -> None:
    result = check_file(graph, granularity)
    difference = np.abs(result.run() - result.simulated)
    assert difference.max() <= TOLERANCE


def check_file(
    graph: Graph, granularity: WeightGranularity = WeightGranularity.CHANNEL
) -> Converted:
    """All but what it computes."""
    result = converted(graph, SPEC, granularity)
    model = read_tflite(result.tflite)
    require_integer_only(model)
    form = require_super_resolution(model)
    assert (form.input, form.scale, form.levels) == (SPEC, graph.scale, Levels("int8", -128))
    assert list(unnamed(operators_of_model(model))) == list(unnamed(lower(graph, SPEC)))
    assert tiling_of_model(model, graph.scale) == tiling_of(graph, SPEC)
    return result


def check_alike(graph: Graph) -> None:
    """A deep network amplifies what two ways of rounding differ in, with random weights at most."""
    result = check_file(graph)
    error = np.mean(np.square(result.run() - result.simulated))
    assert error < ALIKE * np.var(result.simulated)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("network", zoo.ZOO, ids=lambda network: network.name)
def test_published_networks(network: zoo.ZooNetwork, scale: int) -> None:
    check_alike(network.build(scale).deployed)


@pytest.mark.parametrize("seed", range(15))
def test_samples_of_the_anchor_space(seed: int) -> None:
    check(sample(RandomTrial(seed), scale=2 + seed % 3))


@pytest.mark.parametrize("seed", range(50))
def test_samples_of_mobile(seed: int) -> None:
    check_alike(mobile.sample(RandomTrial(seed), scale=2 + seed % 3).deployed)


@pytest.mark.parametrize("name", SMALL)
def test_each_operator(name: str) -> None:
    check(SMALL[name]())


def test_a_leaky_relu_is_exact_even_where_slopes_are_counted_in_256ths() -> None:
    graph = SMALL["leaky relu"]()
    (node,) = (node for node in graph.nodes if isinstance(node.operator, LeakyRelu))
    assert node.inputs[0] in quantization_groups(graph).group_of(node.name).tensors  # a slope of 1
    assert (256 * LeakyRelu().alpha).is_integer()


@pytest.mark.parametrize("name", ["conv, relu", "depthwise conv", "transposed conv x2"])
def test_one_scale_for_all_weights(name: str) -> None:
    check(SMALL[name](), granularity=WeightGranularity.TENSOR)
