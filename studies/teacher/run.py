"""What a teacher is worth: the same trainings with one and without.

    python -m studies.teacher.run --data DIR --test DIR [--test DIR ...] --out DIR

About half an hour on one core. The trainings are kept in ``--out``: the same command goes on from
there. Writes ``results.csv`` and ``README.md`` beside this file.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nas
from nas.quality.image_quality import ModelQuality

from ..ledger import Ledger

HERE = Path(__file__).parent
NETWORKS = ("ABPN", "found-u85-14ms")
STEPS = 10_000
DEVICE = "ethos-u85-1024"
TEACHER = "widened-u85-48ms"


@dataclass(frozen=True)
class Row:
    """A network of one training, on one set of images."""

    network: str
    steps: int
    images: str
    psnr_db: float
    psnr_float_db: float
    #: "" for none
    teacher: str = ""

    @classmethod
    def of(cls, network: str, teacher: str, images: str, quality: ModelQuality) -> Row:
        found = quality.int8.psnr_db, quality.float32.psnr_db
        return cls(network, STEPS, images, *found, teacher)


LEDGER = Ledger(HERE / "results.csv", Row)


def trained(network: str, teacher: str, options: argparse.Namespace) -> Iterator[Row]:
    """A row for each set of images."""
    outcome = nas.train(
        network,
        options.data,
        recipe="proxy",
        steps=STEPS,
        quantize="ptq",
        teacher=teacher or None,
        device=DEVICE,
        test=options.test,
        folder=options.out / f"{network}-{teacher or 'alone'}",
    )
    for images, quality in outcome.figures.items():
        yield Row.of(network, teacher, images, quality)


def report(rows: list[Row]) -> str:
    """The page."""
    of = {(row.network, row.teacher, row.images): row for row in rows}
    lines = [
        "# A teacher",
        "",
        "    python -m studies.teacher.run --data DIR --test DIR --test DIR --out DIR",
        "",
        f"`nas train NETWORK --recipe proxy --steps {STEPS} --quantize ptq`, and the same with",
        f"`--teacher {TEACHER}`: the images that are trained towards lie halfway between the",
        "photographs and what the teacher makes of them. The teacher was trained on the same",
        "photographs. PSNR on RGB, a border of 3 pixels left out.",
        "",
        "| network | images | INT8 alone, dB | with a teacher | gained | in floating point |",
        "|---|---|---|---|---|---|",
    ]
    for (network, teacher, images), row in of.items():
        alone = of.get((network, "", images))
        if teacher and alone:
            gains = row.psnr_db - alone.psnr_db, row.psnr_float_db - alone.psnr_float_db
            lines.append(
                f"| {network} | {images} | {alone.psnr_db:.3f} | {row.psnr_db:.3f} | "
                f"{gains[0]:+.3f} | {gains[1]:+.3f} |"
            )
    return "\n".join([*lines, ""])


def main() -> None:
    """Trains what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--test", type=Path, action="append", default=[])
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    for network in NETWORKS:
        for teacher in ("", TEACHER):
            if all((row.network, row.teacher) != (network, teacher) for row in LEDGER.read()):
                for row in trained(network, teacher, options):
                    LEDGER.keep(row)
                (HERE / "README.md").write_text(report(LEDGER.read()), encoding="utf-8")
    print(report(LEDGER.read()))


if __name__ == "__main__":
    main()
