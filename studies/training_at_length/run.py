"""Compares a full-length training with trainings that differ from it in one setting each.

    python -m studies.training_at_length.run --data DIR --test DIR [--test DIR ...] --out DIR

``DIR`` of ``--data`` has the folders ``train`` and ``valid``. Takes four hours on one core. The
trainings are kept in ``--out``, and the same command continues them. Writes ``results.csv`` and
``README.md`` beside this file.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nas
from nas.quality.image_quality import ModelQuality

from ..ledger import Ledger

HERE = Path(__file__).parent
STEPS = 10_000
DEVICE = "ethos-u85-1024"
TEACHER = "widened-u85-48ms"
BASE = "16 crops of 32x32"
COPIES = "smaller copies of the photographs"
#: How the page names trainings whose stored name is too short.
_TITLES = {
    BASE: f"unchanged: {BASE}",
    f"towards {TEACHER}": f"teacher {TEACHER}",
    "and 3,000 steps with INT8 rounding": "3,000 more steps with INT8 rounding",
    "once more": "unchanged, repeated in 32 bits",
    COPIES: "with smaller copies",
    "smaller copies, 30,000 steps": "with smaller copies, 30,000 steps",
}


@dataclass(frozen=True)
class Training:
    """A training of ``network``; ``changes`` are the arguments of ``nas.train`` that it changes."""

    network: str
    name: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    #: Trains on every n-th photograph only.
    photographs: int = 1


TRAININGS = (
    Training("ABPN", BASE),
    Training("ABPN", f"towards {TEACHER}", {"teacher": TEACHER}),
    Training("deepened-u85-14ms", BASE),
    Training("ABPN", "100,000 steps", {"steps": 100_000}),
    Training("deepened-u85-14ms", f"towards {TEACHER}", {"teacher": TEACHER}),
    Training("ABPN", "4 crops of 64x64", {"batch": 4, "patch": 64}),
    Training("ABPN", "half of the photographs", photographs=2),
    Training("ABPN", "and 3,000 steps with INT8 rounding", {"quantize": "qat"}),
    Training("ABPN", "16 crops of 64x64", {"patch": 64}),
    Training("ABPN", "once more"),
    Training("ABPN", COPIES, {"recipe": "full"}),
    Training("deepened-u85-14ms", COPIES, {"recipe": "full"}),
    Training("ABPN", "smaller copies, 30,000 steps", {"recipe": "full", "steps": 30_000}),
)


@dataclass(frozen=True)
class Row:
    """PSNR of a trained network on one set of images."""

    network: str
    training: str
    images: str
    psnr_db: float
    psnr_float_db: float

    @classmethod
    def of(cls, training: Training, images: str, quality: ModelQuality) -> Row:
        psnr_db = quality.int8.psnr_db, quality.float32.psnr_db
        return cls(training.network, training.name, images, *psnr_db)


LEDGER = Ledger(HERE / "results.csv", Row)


def photographs(data: Path, every: int, folder: Path) -> Path:
    """Returns ``data``, or ``folder`` with links to every n-th of its training photographs."""
    if every == 1:
        return data
    (folder / "train").mkdir(parents=True, exist_ok=True)
    for path in sorted((data / "train").iterdir())[::every]:
        link = folder / "train" / path.name
        if not link.exists():
            link.symlink_to(path.resolve())
    if not (folder / "valid").exists():
        (folder / "valid").symlink_to((data / "valid").resolve())
    return folder


def trained(training: Training, options: argparse.Namespace) -> Iterator[Row]:
    """Runs a training, and yields a row for each set of images."""
    name = f"{training.network} {training.name}".replace(" ", "-")
    data = photographs(options.data, training.photographs, options.out / f"{name}-images")
    arguments = {"recipe": "proxy", "steps": STEPS, "quantize": "ptq", **training.changes}
    outcome = nas.train(
        training.network,
        data,
        device=DEVICE,
        test=options.test,
        folder=options.out / name,
        **arguments,
    )
    for images, quality in outcome.figures.items():
        yield Row.of(training, images, quality)


def missing(rows: list[Row]) -> list[Training]:
    """Returns the trainings that have no row yet."""
    done = {(row.network, row.training) for row in rows}
    return [one for one in TRAININGS if (one.network, one.name) not in done]


def report(rows: list[Row]) -> str:
    """Returns the text of README.md."""
    by_training = {(row.network, row.training, row.images): row for row in rows}
    lines = [
        "# Training at length",
        "",
        "    python -m studies.training_at_length.run --data DIR --test DIR --test DIR --out DIR",
        "",
        "This study measures the effect of single changes to a training. The unchanged training is",
        f"`nas train NETWORK --recipe proxy --steps {STEPS} --quantize ptq`, with {BASE} LR",
        "pixels per step. Gains are relative to it. PSNR is measured on RGB without a border of 3",
        "pixels, for one training each.",
        "",
        "| network | training | images | INT8 PSNR, dB | gain, dB | floating-point PSNR, dB "
        "| gain, dB |",
        "|---|---|---|---|---|---|---|",
    ]
    for (network, training, images), row in by_training.items():
        base = by_training[network, BASE, images]
        gains = row.psnr_db - base.psnr_db, row.psnr_float_db - base.psnr_float_db
        gained = ["" if row is base else f"{gain:+.3f}" for gain in gains]
        lines.append(
            f"| {network} | {_TITLES.get(training, training)} | {images} | {row.psnr_db:.3f} "
            f"| {gained[0]} | {row.psnr_float_db:.3f} | {gained[1]} |"
        )
    lines += [
        "",
        f"* With {TEACHER} as teacher, the target images lie halfway between the photographs and",
        "  the teacher's output. The teacher was trained on the same photographs.",
        "* With smaller copies, the network is also trained on each photograph at two thirds and",
        "  at half of its size, as in the recipe `full`.",
        "* The repeated training has the same seed, but computes in 32 bits instead of bfloat16.",
        "  Its gains show how far apart two trainings end by chance; smaller gains have no",
        "  meaning.",
        "* The repeated training and those with smaller copies compute in 32 bits and use today's",
        "  INT8 ranges; the others use former ranges, which cost ABPN 0.01 dB more.",
    ]
    names = [
        f"{training.network}, {_TITLES.get(training.name, training.name)}"
        for training in missing(rows)
    ]
    if names:
        lines += ["", f"Not trained yet: {'; '.join(names)}."]
    return "\n".join([*lines, ""])


def main() -> None:
    """Runs the trainings that are missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--test", type=Path, action="append", default=[])
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    for training in TRAININGS:
        if training in missing(LEDGER.read()):
            for row in trained(training, options):
                LEDGER.keep(row)
            (HERE / "README.md").write_text(report(LEDGER.read()), encoding="utf-8")
    print(report(LEDGER.read()))


if __name__ == "__main__":
    main()
