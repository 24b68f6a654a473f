"""Table 1 of the Mobile AI 2021 report, as published: times on the Synaptics VS680.

Ignatov et al., "Real-Time Quantized Image Super-Resolution on Mobile NPUs, Mobile AI 2021
Challenge: Report", CVPR Workshops 2021, arXiv:2105.07825. PSNR and SSIM were measured for the INT8
models on the challenge's hidden test images, so they are not comparable with values on other data.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ReportRow:
    """One row; ``system`` is the network's name in the zoo, "" if no description was published.

    ``None`` stands for a value that the report gives as not available or failed.
    """

    team: str
    system: str
    model_kb: float | None
    psnr_db: float
    ssim: float
    drop_db: float | None
    cpu_ms: float | None
    npu_ms: float | None
    score: float | None


REPORT: tuple[ReportRow, ...] = (
    ReportRow("MCG", "ABPN", 53, 29.87, 0.8686, None, 998, 36.89, 92.72),
    ReportRow("Aselsan Research", "XLSR", 67, 29.58, 0.86, 0.18, 1278, 44.85, 51.02),
    ReportRow("Noah_TerminalVision", "TinySRNet", 109, 29.41, 0.8537, 0.33, 668, 38.32, 47.18),
    ReportRow("ALONG", "FastSR", 30, 29.52, 0.8607, None, 951, 62.25, 33.82),
    ReportRow("A+ regression", "A+", None, 29.32, 0.8520, None, None, None, None),
    ReportRow("EmbeddedAI", "PRPSR", 82, 28.82, 0.8428, 0.15, 1224, 76.61, 10.41),
    ReportRow("mju_gogogo", "EDSR-attention", 940, 28.92, 0.8486, None, None, 718, 1.28),
    ReportRow("Bicubic", "bicubic", None, 28.26, 0.8277, None, None, None, None),
    ReportRow("221B", "", 175, 25.44, 0.729, 4.03, None, 238.43, 0.03),
    ReportRow("svnit_ntnu", "", 8, 19.3, 0.7061, 9.61, 1947, 78.84, 0.0),
    ReportRow("CVML", "", 10, 19.5, 0.7462, 9.45, 1772, 90.20, 0.0),
    ReportRow("TieGuoDun", "", 636, 16.19, 0.6654, 13.28, None, 913.96, 0.0),
)
