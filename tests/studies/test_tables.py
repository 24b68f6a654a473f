"""Networks that are drawn, written and kept for the regressions of compilers."""

from __future__ import annotations

from functools import partial
from itertools import islice
from pathlib import Path

import pytest

from latency_models import LatencyRequest
from latency_models.sources.regression import Measurement
from latency_models.sources.regression.source import read_table
from latency_models.tflite.requests import (
    read_tflite,
    require_integer_only,
    require_same_operators,
)
from search_spaces import InputSpec
from studies.latency_error.tables import PARTS, append, complete_networks
from studies.latency_error.tflite_writer import written


@pytest.mark.parametrize("part", PARTS)
def test_files_hold_the_operators_that_they_were_written_from(part: str) -> None:
    kinds: set[str] = set()
    for seed, (graph, spec) in enumerate(islice(PARTS[part].drawn(), 40)):
        request = LatencyRequest.of_graph(graph, spec, bytes)
        model = read_tflite(written(graph, request.operators, seed))
        require_integer_only(model)
        require_same_operators(request, model)
        kinds |= {operator.kind for operator in request.operators}
    assert kinds >= {"CONV_2D", "ADD", "CONCATENATION", "RESHAPE", "DEPTH_TO_SPACE"}


def test_parts_have_no_network_in_common() -> None:
    names = [{graph.hash for graph, _ in islice(drawing.drawn(), 40)} for drawing in PARTS.values()]
    assert len(set.union(*names)) == sum(map(len, names))
    usual, sizes = ([spec for _, spec in islice(PARTS[p].drawn(), 40)] for p in ("fresh", "sizes"))
    assert set(usual) == {InputSpec(360, 640)}
    assert len(set(sizes)) > 30


def test_a_table_goes_on_where_every_device_has_its_rows(tmp_path: Path) -> None:
    graph, spec = next(PARTS["fresh"].drawn())
    operators = LatencyRequest.of_graph(graph, spec, partial(bytes, b"")).operators
    rows = [Measurement(name, operators, 1.5) for name in ("a", "b", "c")]
    paths = {name: tmp_path / name / "train" / "measurements.csv" for name in ("one", "two")}
    assert complete_networks(paths) == set()
    for row in rows:
        append(paths["one"], row)
    for row in rows[:2]:
        append(paths["two"], row)
    assert complete_networks(paths) == {"a", "b"}
    assert [row.name for row in read_table(paths["one"])] == ["a", "b"]
    assert read_table(paths["two"]) == tuple(rows[:2])
