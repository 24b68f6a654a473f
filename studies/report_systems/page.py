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
ABPN-folded-sum and ESPCN were trained and quantized with the present method. The others were
quantized with INT8 ranges that were chosen by a few channels of each tensor. In ABPN-folded-sum
these ranges clipped white, which cost 1.15 dB in post-training quantization. In ESPCN, the image
now uses more INT8 levels of the tanhs; with the former method, its file reached 27.13 dB."""


def readme(results: dict[str, Any]) -> str:
    """Returns the README: tables of the systems, of baselines, and of the report's own rows."""
    published = {entry.system: entry for entry in REPORT if entry.system}
    tests = [name for name in results["images"] if name not in ("train", "valid")]
    done = {network.name for network in ZOO} & {system["name"] for system in results["systems"]}
    lines = [
        "# The networks of the Mobile AI 2021 report, and later ones", "",
        f"{len(done)} of the {len(ZOO)} networks of the zoo and two variants of ABPN at x3, all",
        "trained with the same recipe: 16 crops of 32x32 LR pixels in each step, L1 loss, one",
        "seed. Networks of more than 20 GMAC were trained for proportionally fewer steps.",
        "",
        f"- PSNR and SSIM are on RGB, the mean over all images of {', '.join(tests)}.",
        "- *FP32* is the floating-point network, *PTQ* the same network after post-training",
        "  quantization, and *QAT* the integer-only file after additional training with INT8",
        "  rounding for 30 % more steps. For PTQ and QAT, kernels are rounded at the end such",
        "  that rounding errors cancel. *INT8* is the file of these two that is better on the",
        "  validation images.",
        "- *Drop* is the loss by quantization; positive values are losses. The drop of QAT refers",
        "  to a floating-point network that was trained for as many steps.",
        "- *Host* is one core of the machine that ran the study. *Device* is",
        f"  `{results['device']}`; its time includes the operators that it leaves to the CPU.",
        "",
        "Networks found by searches are in [shipped_models](../shipped_models).", "",
        "`python -m studies.report_systems.run --help` explains how to repeat the study;",
        "[results.csv](results.csv) has all columns, [results.json](results.json) has the",
        "fingerprints of the images.",
        "",
        "![INT8 PSNR and time on the device of every network](plot.svg)", "",
        "| network | parameters | GMAC | file, KB | steps | FP32 PSNR, dB | PTQ PSNR, dB "
        "| QAT PSNR, dB | PTQ drop, dB | QAT drop, dB | FP32 SSIM | INT8 SSIM | SSIM drop "
        "| host, ms | device, ms | operators left to the CPU | time on host / on device "
        "| score / ABPN's | published in the report: INT8 PSNR in dB, drop in dB, NPU time in ms |",
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
    lines += ["", "Methods without a network, and ABPN with a wrong output after training:", "",
              "| method | PSNR, dB | SSIM |", "|---|---|---|"]  # fmt: skip
    lines += [
        f"| {r['name']} | {r['psnr_db']:.3f} | {r['ssim']:.4f} |" for r in results["baselines"]
    ]
    lines += ["", "Entries of the report without a description of the network, as published:", "",
              "| team | INT8 PSNR, dB | drop, dB | NPU, ms |", "|---|---|---|---|"]  # fmt: skip
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
        f"The PSNR of QAT and of PTQ differs by at most {_EQUAL_DB} dB for {ties} of {len(gains)} "
        f"networks.\nThe largest gain of QAT over PTQ is that of {winner} ({most:+.3f} dB), the "
        f"smallest that of\n{loser} ({least:+.3f} dB)."
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
