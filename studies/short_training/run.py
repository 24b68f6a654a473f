"""Trains ABPN and the extremes of the space ``anchor`` for 750 steps.

    python -m studies.short_training.run --train DIR --valid DIR --test DIR [--test DIR ...]

Takes about 10 minutes on 2 cores. Writes ``results.json`` and ``README.md`` beside this file.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latency_models.device import load_device
from nas.data.images import Data, ImageSet, load_images
from nas.data.named_sets import load_named_sets
from nas.evaluation.full_training import LongTraining
from nas.quality import baselines
from nas.quality.image_quality import evaluate
from nas.system.cores import has_bfloat16
from nas.system.files import write_json
from nas.system.versions import installed_versions
from nas.training.recipe import Recipe
from search_spaces import Candidate, Graph, InputSpec, infer, zoo
from search_spaces.spaces import anchor

HERE = Path(__file__).parent
SCALE = 3
STEPS = 750
_WIDEST, _DEEPEST = anchor.WIDTHS[1], anchor.DEPTHS[1]

NETWORKS: dict[str, Graph] = {
    "ABPN": zoo.abpn(SCALE),
    "narrowest and deepest, 4 groups, no residual": anchor.build(
        [(anchor.WIDTHS[0], 4)] * _DEEPEST, SCALE, residual="none", tail="double"
    ),
    "widest and deepest, anchor": anchor.build(
        [(_WIDEST, 1)] * _DEEPEST, SCALE, residual="anchor", tail="double"
    ),
    "widest and deepest, no residual": anchor.build(
        [(_WIDEST, 1)] * _DEEPEST, SCALE, residual="none", tail="double"
    ),
}


@dataclass(frozen=True)
class Images:
    """Images to train, validate and test on; a test set is named after its folder."""

    data: Data
    tests: dict[str, ImageSet]

    @classmethod
    def load(cls, train: Path, valid: Path, tests: list[Path]) -> Images:
        data = Data("given folders", load_images(train, SCALE), load_images(valid, SCALE))
        return cls(data, load_named_sets(tests, SCALE))

    def describe(self) -> dict[str, Any]:
        """Returns fingerprints and sizes by which others can compare their images."""
        sets = {"train": self.data.training, "valid": self.data.validation, **self.tests}
        return {
            name: {"fingerprint": s.fingerprint, "files": len(s.pairs), "pixels": s.pixels}
            for name, s in sets.items()
        }


def train(name: str, graph: Graph, images: Images) -> list[dict[str, Any]]:
    """Trains a network, and returns a row for each test set."""
    with tempfile.TemporaryDirectory() as folder:
        training = LongTraining(
            name=name,
            candidate=Candidate(graph),
            data=images.data,
            recipe=Recipe(STEPS, bfloat16=has_bfloat16()),
            device=load_device("ethos-u85-1024"),
            seed=0,
            folder=Path(folder),
        )
        training.run(lambda progress: None)
        rows = []
        for test, image_set in images.tests.items():
            quality = training.test(image_set)
            bicubic = evaluate(baselines.bicubic(SCALE), image_set)
            rows.append(
                {
                    "network": name,
                    "parameters": infer(graph, InputSpec(360, 640)).parameters,
                    "test": test,
                    "psnr_db": quality.psnr_db,
                    "psnr_float_db": quality.float32.psnr_db,
                    "drop_db": quality.drop_db,
                    "above_bicubic_db": quality.psnr_db - bicubic.psnr_db,
                    "ssim": quality.int8.ssim,
                }
            )
    return rows


def write(rows: list[dict[str, Any]], images: Images) -> None:
    """Writes both result files."""
    results = {"rows": rows, "images": images.describe(), "versions": installed_versions()}
    write_json(HERE / "results.json", results)
    lines = [
        "# Short training",
        "",
        f"ABPN and the extreme networks of the space `anchor` are trained for x3 for {STEPS:,}",
        "steps of 16 crops of 32x32 LR pixels in floating point, and then for 30 % more steps",
        "with INT8 rounding; the better of the two INT8 files is evaluated on RGB. The loss is",
        "relative to a floating-point network that was trained for as many steps. `python -m",
        "studies.short_training.run --help` explains how to repeat the study; the fingerprints of",
        "the images are in [results.json](results.json).",
        "",
        "| network | parameters | test images | INT8 PSNR, dB | floating-point PSNR, dB "
        "| loss, dB | gain over bicubic, dB | INT8 SSIM |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r['network']} | {r['parameters']:,} | {r['test']} | {r['psnr_db']:.3f} "
        f"| {r['psnr_float_db']:.3f} | {r['drop_db']:+.3f} | {r['above_bicubic_db']:+.2f} "
        f"| {r['ssim']:.4f} |"
        for r in rows
    ]
    (HERE / "README.md").write_text("\n".join([*lines, ""]))


def main() -> None:
    """Trains every network, and writes the results after each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--valid", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True, action="append")
    options = parser.parse_args()
    images = Images.load(options.train, options.valid, options.test)
    rows: list[dict[str, Any]] = []
    for name, graph in NETWORKS.items():
        rows += train(name, graph, images)
        write(rows, images)
        print(*rows[-len(images.tests) :], sep="\n", flush=True)


if __name__ == "__main__":
    main()
