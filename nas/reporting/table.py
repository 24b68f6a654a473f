"""The table of trials: text and sort key of each cell."""

from __future__ import annotations

from dataclasses import dataclass

from ..quality.image_quality import MetricValues
from ..quality.metrics import METRICS, Metric
from .content import ReportContent, ReportedNetwork, TrialLine

_FIRST_METRIC, *_OTHER_METRICS = METRICS
#: ``Metric.is_higher_better`` -> order of the first click on the metric's column
_BEST_FIRST_ORDER = {True: "descending", False: "ascending"}
#: Number of columns that are empty for networks that were not trained.
_MEASURED_COLUMNS = 8 + len(METRICS)


@dataclass(frozen=True)
class Column:
    """A column; ``first`` is the sort order after the first click on its heading."""

    name: str
    is_number: bool
    first: str = "ascending"


@dataclass(frozen=True)
class Cell:
    """A cell: its text, and the number by which it is sorted, None for words and empty cells."""

    text: str
    sort: float | None = None


@dataclass(frozen=True)
class Row:
    """The row of one trial; ``cells`` are in the order of ``columns``."""

    status: str
    cells: tuple[Cell, ...]


def columns(content: ReportContent) -> tuple[Column, ...]:
    """Returns the columns of ``rows``."""
    return (
        Column("trial", True),
        Column("status", False),
        Column(content.gauge, True, "descending"),
        Column("expected, dB", True, "descending"),
        *_columns_of(_FIRST_METRIC),
        Column("runtime, ms", True),
        Column("interval, ms", True),
        Column("INT8 drop, dB", True),
        *_columns_of(*_OTHER_METRICS),
        Column("parameters", True),
        Column("GMAC", True),
        Column("file, KB", True),
        Column("sampled", False),
    )


def rows(content: ReportContent) -> tuple[Row, ...]:
    """Returns a row for each trial: best score first, those without a score at the end."""
    best_first = sorted(
        content.lines, key=lambda line: -line.network.ratio if line.network else 1.0
    )
    return tuple(Row(line.status, _cells(line)) for line in best_first)


def _cells(line: TrialLine) -> tuple[Cell, ...]:
    number = Cell(str(line.number), line.number)
    sampled = Cell("; ".join(filter(None, (line.remark, line.parameters))))
    measured = _measured_cells(line.network) if line.network else (Cell(""),) * _MEASURED_COLUMNS
    return (number, Cell(line.status), *measured, sampled)


def _measured_cells(network: ReportedNetwork) -> tuple[Cell, ...]:
    result, latency, int8 = network.result, network.result.latency, network.result.quality.int8
    return (
        Cell(f"{network.ratio:.3f}", network.ratio),
        Cell(result.expected.text.removesuffix(" dB"), result.expected.psnr_db),
        *_cells_of(int8, _FIRST_METRIC),
        Cell(f"{latency.ms:.2f}", latency.ms),
        Cell(f"{latency.low_ms:.2f} – {latency.high_ms:.2f}", latency.high_ms - latency.low_ms),
        Cell(f"{result.drop_db:+.3f}", result.drop_db),
        *_cells_of(int8, *_OTHER_METRICS),
        Cell(f"{result.parameters:,}", result.parameters),
        Cell(f"{result.macs / 1e9:.3f}", result.macs),
        Cell(f"{result.tflite_kb:.1f}", result.tflite_kb),
    )


def _columns_of(*metrics: Metric) -> list[Column]:
    return [Column(m.heading, True, _BEST_FIRST_ORDER[m.is_higher_better]) for m in metrics]


def _cells_of(values: MetricValues, *metrics: Metric) -> list[Cell]:
    return [Cell(m.text(values.get(m)), values.get(m)) for m in metrics]
