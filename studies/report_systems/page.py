"""Writes the study's README and its plot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from search_spaces.report import REPORT
from search_spaces.zoo import ZOO

from ..scatter import Point, Scatter, linear, logarithmic

#: Two ways to quantize a network count as equally good within so many dB: a tenth of the difference
#: that another seed can make.
_EQUAL_DB = 0.02
#: Room right of the slowest system, as a factor of its time.
_ROOM_FOR_A_NAME = 1.3
#: Note on results with former INT8 ranges; to be removed once the systems are trained again.
_FORMER_RANGES = """\
ABPN-folded-sum and ESPCN are as they are trained and quantized now. Of the others, INT8
ranges were chosen by a few of each tensor's channels, which cut white off in
ABPN-folded-sum and cost it 1.15 dB by quantizing alone. ESPCN's image is led through
its tanhs by more of their INT8 levels now: before, its file had 27.13 dB."""


def readme(results: dict[str, Any]) -> str:
    """Returns the README: tables of the systems, of baselines, and of the report's own rows."""
    published = {entry.system: entry for entry in REPORT if entry.system}
    tests = [name for name in results["images"] if name not in ("train", "valid")]
    done = {network.name for network in ZOO} & {system["name"] for system in results["systems"]}
    lines = [
        "# The systems of the report", "",
        f"{len(done)} of the {len(ZOO)} networks of the zoo, x3, each trained",
        "by one recipe: 16 crops of 32x32 LR pixels a step,",
        "L1. PSNR and SSIM on RGB, the mean over",
        f"all images of {', '.join(tests)}; FP32 is the floating-point network, PTQ the same",
        "quantized, QAT an integer-only file, trained on with INT8 rounding for 30 % of the",
        "steps more. Its drop is told by a floating-point network that was trained as long. Both",
        "have kernels rounded at the end, so that errors cancel; of both, the file that validates",
        "better counts. A positive drop is a loss. Networks of more than 20",
        "GMAC were trained for as many fewer steps. One seed each. Host is one core of the machine",
        f"that ran it; device is `{results['device']}`, with the operators that it leaves to the",
        "CPU.",
        "",
        "What searches found is in [shipped_models](../shipped_models).", "",
        "`python -m studies.report_systems.run --help` tells how to repeat it; all columns are in",
        "[results.csv](results.csv), fingerprints of the images in [results.json](results.json).",
        "",
        "![PSNR and time of every system](plot.svg)", "",
        "| system | parameters | GMAC | KB | steps | FP32 dB | PTQ dB | QAT dB | drop PTQ "
        "| drop QAT | SSIM FP32 | SSIM INT8 | SSIM drop | host ms | device ms | on the CPU "
        "| speed-up | score / ABPN's | report: INT8 dB, drop, NPU ms |",
        "|" + "---|" * 19,
    ]  # fmt: skip
    for row in results["systems"]:
        entry = published.get(row["name"])
        report_figures = "" if entry is None else (
            f"{entry.psnr_db:.2f}, {'N.A.' if entry.drop_db is None else f'{entry.drop_db:.2f}'}, "
            f"{'failed' if entry.npu_ms is None else f'{entry.npu_ms:g}'}"
        )  # fmt: skip
        ratio = "" if row["score_to_abpn"] is None else f"{row['score_to_abpn']:.2f}"
        lines.append(
            f"| {row['name']} | {row['parameters']:,} | {row['macs'] / 1e9:.2f} "
            f"| {row['tflite_kb']:.0f} | {row['steps']:,} | {row['psnr_float_db']:.3f} "
            f"| {row['psnr_ptq_db']:.3f} | {row['psnr_qat_db']:.3f} | {row['drop_ptq_db']:+.3f} "
            f"| {row['drop_qat_db']:+.3f} | {row['ssim_float']:.4f} | {row['ssim_int8']:.4f} "
            f"| {row['ssim_float'] - row['ssim_int8']:+.4f} "
            f"| {row['host_ms']:.1f} | {row['device_ms']:.1f} "
            f"| {row['on_cpu']} | {row['speed_up']:.1f} | {ratio} | {report_figures} |"
        )
    lines += ["", _qat_against_ptq(results["systems"]), "", _FORMER_RANGES]
    lines += ["", "Without a network, and ABPN after training with an output that ruins it:", "",
              "| | dB | SSIM |", "|---|---|---|"]  # fmt: skip
    lines += [
        f"| {r['name']} | {r['psnr_db']:.3f} | {r['ssim']:.4f} |" for r in results["baselines"]
    ]
    lines += ["", "Entries of the report without a description, as published:", "",
              "| team | INT8 dB | drop | NPU ms |", "|---|---|---|---|"]  # fmt: skip
    lines += [
        f"| {entry.team} | {entry.psnr_db:.2f} | {entry.drop_db:.2f} | {entry.npu_ms:g} |"
        for entry in REPORT
        if not entry.system and entry.drop_db is not None and entry.npu_ms is not None
    ]
    return "\n".join([*lines, ""])


def _qat_against_ptq(systems: list[dict[str, Any]]) -> str:
    gains = sorted((row["psnr_qat_db"] - row["psnr_ptq_db"], row["name"]) for row in systems)
    ties = sum(abs(gain) <= _EQUAL_DB for gain, _ in gains)
    (least, loser), (most, winner) = gains[0], gains[-1]
    return (
        f"Training on with INT8 rounding (QAT) and quantizing alone (PTQ) are within\n"
        f"{_EQUAL_DB} dB of each other for {ties} of {len(gains)} systems. QAT has most more for "
        f"{winner}\n({most:+.3f} dB), least for {loser} ({least:+.3f} dB)."
    )


def plot(results: dict[str, Any], path: Path) -> None:
    """Plots PSNR over time on the device, with the name of each system."""
    points = tuple(
        Point(row["device_ms"], psnr_db, low=psnr_db, high=psnr_db, label=row["name"])
        for row in results["systems"]
        for psnr_db in [row["psnr_int8_db"]]
    )
    slowest = max(point.x for point in points)
    times = [*(point.x for point in points), slowest * _ROOM_FOR_A_NAME]
    picture = Scatter(
        points,
        logarithmic(f"ms on {results['device']}", times),
        linear("INT8 PSNR, dB", [point.y for point in points]),
        860, 520,
    )  # fmt: skip
    path.write_text(picture.svg())
