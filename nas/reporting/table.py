"""The table of trials: each cell's text, and what it is sorted by."""

from __future__ import annotations

from dataclasses import dataclass

from .content import ReportContent, ReportedNetwork, TrialLine


@dataclass(frozen=True)
class Column:
    """A heading; ``first`` is the order that a first click asks for."""

    name: str
    is_number: bool
    first: str = "ascending"


@dataclass(frozen=True)
class Cell:
    """What is shown, and the number that it is sorted by; None for words and for nothing."""

    text: str
    sort: float | None = None


@dataclass(frozen=True)
class Row:
    """One trial; ``cells`` in the order of ``columns``."""

    status: str
    cells: tuple[Cell, ...]


def columns(content: ReportContent) -> tuple[Column, ...]:
    """The headings of ``rows``."""
    return (
        Column("trial", True),
        Column("status", False),
        Column(content.gauge, True, "descending"),
        Column("expected, dB", True, "descending"),
        Column("PSNR, dB", True, "descending"),
        Column("runtime, ms", True),
        Column("interval, ms", True),
        Column("INT8 drop, dB", True),
        Column("SSIM", True, "descending"),
        Column("parameters", True),
        Column("GMAC", True),
        Column("file, KB", True),
        Column("sampled", False),
    )


def rows(content: ReportContent) -> tuple[Row, ...]:
    """Every trial, best score first, those without a score at the end."""
    best_first = sorted(
        content.lines, key=lambda line: -line.network.ratio if line.network else 1.0
    )
    return tuple(Row(line.status, _cells(line)) for line in best_first)


def _cells(line: TrialLine) -> tuple[Cell, ...]:
    number = Cell(str(line.number), line.number)
    sampled = Cell("; ".join(filter(None, (line.remark, line.parameters))))
    measured = _measured(line.network) if line.network else (Cell(""),) * 10
    return (number, Cell(line.status), *measured, sampled)


def _measured(network: ReportedNetwork) -> tuple[Cell, ...]:
    result, latency = network.result, network.result.latency
    return (
        Cell(f"{network.ratio:.3f}", network.ratio),
        Cell(result.expected.text.removesuffix(" dB"), result.expected.psnr_db),
        Cell(f"{result.psnr_db:.3f}", result.psnr_db),
        Cell(f"{latency.ms:.2f}", latency.ms),
        Cell(f"{latency.low_ms:.2f} – {latency.high_ms:.2f}", latency.high_ms - latency.low_ms),
        Cell(f"{result.drop_db:+.3f}", result.drop_db),
        Cell(f"{result.ssim:.4f}", result.ssim),
        Cell(f"{result.parameters:,}", result.parameters),
        Cell(f"{result.macs / 1e9:.3f}", result.macs),
        Cell(f"{result.tflite_kb:.1f}", result.tflite_kb),
    )
