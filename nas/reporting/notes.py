"""The card of one network as a note in Markdown, as Optuna's dashboard shows it."""

from __future__ import annotations

from collections.abc import Sequence

from ..quality.metrics import convention
from ..quality_model.table import FULL_STEPS
from .content import ReportContent, ReportedNetwork


def note_of(content: ReportContent, network: ReportedNetwork) -> str:
    """Quality, latency by kind of operator, and how it was trained."""
    result, latency, settings = network.result, network.result.latency, content.settings
    ratio = [(content.gauge, f"{network.ratio:.2f}")] if content.has_abpn else []
    rows = [
        *ratio,
        ("PSNR, INT8", f"{result.psnr_db:.3f} dB on {settings.data}, {convention(settings.scale)}"),
        ("expected", f"{result.expected.text} after {FULL_STEPS:,} steps; the rest of this note is "
                     f"after {settings.steps:,}"),
        ("PSNR, FP32", f"{result.psnr_float_db:.3f} dB (INT8 costs {result.drop_db:+.3f} dB)"),
        ("SSIM, INT8", f"{result.ssim:.4f}"),
        ("runtime", f"{latency.ms:.2f} ms ({latency.low_ms:.2f} to {latency.high_ms:.2f}) on "
                    f"{network.device}, {settings.input}, {latency.source}"),
        ("on the CPU", ", ".join(latency.on_cpu) or "nothing"),
        ("parameters", f"{result.parameters:,}"),
        ("multiply-accumulates", f"{result.macs / 1e9:.3f} G"),
        ("file", f"{result.tflite_kb:.1f} KB, integer-only"),
        ("seed", str(result.seed)),
    ]  # fmt: skip
    times: dict[tuple[str, str], float] = {}
    for row in latency.operators:
        times[row.kind, row.engine] = times.get((row.kind, row.engine), 0.0) + row.ms
    slowest_first = sorted(times.items(), key=lambda item: -item[1])
    operators = [(kind, engine, f"{ms:.2f}") for (kind, engine), ms in slowest_first]
    return "\n\n".join(
        [
            f"## {network.name} of {content.name}",
            _table(("", ""), rows),
            _table(("operators", "engine", "ms"), operators),
        ]
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines: list[Sequence[str]] = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
