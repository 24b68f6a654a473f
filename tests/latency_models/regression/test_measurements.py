from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency_models.sources.regression import Measurement, read_measurements, write_measurements
from latency_models.sources.regression.source import read_table
from search_spaces import InputError, InputSpec, LoweredOperator, Tensor, lower

from .synthetic import SPEC, plain, table

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1).filter(
    lambda text: text == text.strip()
)
TENSORS = st.builds(Tensor, NAMES, st.tuples(*[st.integers(1, 4000)] * 3))
KERNELS = st.builds(
    LoweredOperator,
    kind=st.sampled_from(["CONV_2D", "ADD", "MYSTERY"]),
    name=NAMES,
    inputs=st.lists(TENSORS, max_size=3).map(tuple),
    outputs=st.lists(TENSORS, min_size=1, max_size=2).map(tuple),
    macs=st.integers(0, 10**12),
    window=st.integers(1, 31),
    stride=st.integers(1, 8),
    groups=st.integers(1, 8),
    weight_bytes=st.integers(0, 10**6),
)


def graph_row(**cells: str) -> str:
    graph = json.dumps(plain(8, 1).to_json())
    values = {"name": "net", "ms": "5.5", "input": "90x160", "graph": graph} | cells
    quoted = ['"' + value.replace('"', '""') + '"' for value in values.values()]
    return f"{','.join(values)}\n{','.join(quoted)}\n"


@given(st.lists(KERNELS, min_size=1, max_size=4), st.floats(0.001, 1e5))
def test_what_is_written_is_read_back(operators: list[LoweredOperator], ms: float) -> None:
    times = tuple(float(index) for index in range(len(operators)))
    row = Measurement(
        "a, name", tuple(operators), float(f"{ms:.6g}"), "net", "family", "2021", times,
        ("npu",) * len(operators),
    )  # fmt: skip
    assert read_measurements(write_measurements([row]), "table") == (row,)


def test_a_graph_is_lowered_at_its_input_size() -> None:
    (row,) = read_measurements(graph_row(), "table")
    assert row.operators == lower(plain(8, 1), SPEC)
    assert (row.ms, row.network, row.family) == (5.5, "net", "net")
    (other,) = read_measurements(graph_row(input="32x64"), "table")
    assert other.operators == lower(plain(8, 1), InputSpec(32, 64))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (graph_row(ms="fast"), "line 2: not a number .*'fast'"),
        (graph_row(ms="0"), "line 2: net: 0.0 ms is no time"),
        (graph_row(ms="nan"), "line 2: net: nan ms is no time"),
        (graph_row(ms="-1"), "line 2: net: -1.0 ms is no time"),
        (graph_row(ms="1e300"), r"line 2: net: 1e\+300 ms is no time"),
        (graph_row(ms="1e-300"), "line 2: net: 1e-300 ms is no time"),
        ("name,ms,ms,kernels\nnet,1,2,[]\n", "line 1: columns ms are there twice"),
        (graph_row(name=""), "line 2: a measurement needs a name"),
        (graph_row(input="big"), "line 2: .*'big' is not HEIGHTxWIDTH"),
        (graph_row(input=""), "line 2: a graph needs its input size"),
        (graph_row(graph="[{"), "line 2: no JSON in graph"),
        (graph_row(graph="[" * 5000), "line 2: no JSON in graph"),
        (graph_row(graph="9" * 5000), "line 2: no JSON in graph"),
        (graph_row(graph=""), "line 2: give either a graph or kernels"),
        (graph_row(kernels="[]"), "line 2: give either a graph or kernels"),
        (graph_row(graph="", kernels="{}"), "line 2: kernels are a list"),
        (graph_row(graph="", kernels='[{"kind":1}]'), "line 2: kernel 0: kind 1"),
        (graph_row(operators_ms="1 2"), "line 2: net: 2 times for 4 operators"),
        (graph_row(color="red"), "line 1: columns color unknown"),
        ("name,graph\nnet,[]\n", "line 1: columns ms unknown or missing"),
        ("", "line 1: columns ms, name unknown or missing"),
        ("name,ms,kernels\n", "holds no measurement"),
        ('name,ms,kernels\n"net,1', "unexpected end of data"),
    ],
)
def test_the_line_at_fault_is_named(text: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"^times\.csv.*{message}") as caught:
        read_measurements(text, "times.csv")
    assert "\n" not in str(caught.value)


def test_a_network_of_any_length_is_read_back() -> None:
    """`collect` could write what it could not read again: every row of the table was lost."""
    (row,) = read_measurements(graph_row(), "table")
    long = Measurement("long", row.operators * 500, 5.0)
    text = write_measurements([long])
    assert len(text) > 131_072  # the longest cell that `csv` reads by itself
    assert read_measurements(text, "table") == (long,)


def test_a_name_is_measured_once() -> None:
    rows = table()
    with pytest.raises(InputError, match="'w4d1' is measured twice"):
        read_measurements(write_measurements([rows[0], *rows]), "table")


def test_a_compressed_table_is_known_by_its_name(tmp_path: Path) -> None:
    rows, packed = table(), tmp_path / "measurements.csv.gz"
    data = gzip.compress(write_measurements(rows).encode())
    packed.write_bytes(data)
    assert [row.operators for row in read_table(packed)] == [row.operators for row in rows]
    for damaged in (b"", b"name,ms", data[:-40], data[:30] + bytes(9) + data[39:]):
        packed.write_bytes(damaged)
        with pytest.raises(InputError, match=r"measurements\.csv\.gz") as caught:
            read_table(packed)
        assert "\n" not in str(caught.value)
