"""Trains every system of the report, and later networks, by one recipe to compare them.

    python -m studies.report_systems.run --data DIR --test DIR [--test DIR]...
        [--device D] [--only NAME]...

``DIR`` of ``--data`` has the folders ``train`` and ``valid``. Takes some hours on 2 cores; finished
systems are kept under ``systems/`` beside this file, and the same command continues. Writes
``results.csv``, ``results.json``, ``plot.svg`` and ``README.md``.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from latency_models.device import load_device
from nas.data.images import ImageSet, load_data
from nas.data.named_sets import load_named_sets
from nas.data.pixels import Pixels
from nas.evaluation.zoo_bench import Bench, table
from nas.quality.baselines import bicubic, nearest
from nas.quality.image_quality import evaluate
from nas.quantization.calibration import calibration_crops, quantize_afterwards
from nas.system.files import write_json
from nas.system.versions import installed_versions
from nas.training.recipe import Recipe
from search_spaces import zoo

from .anchored_regression import AnchoredRegression
from .networks import SCALE, SYSTEMS
from .page import plot, readme
from .ruined import ENDINGS, upscaler

HERE = Path(__file__).parent
STEPS, SEED = 10_000, 0


def baseline(
    name: str, upscale: Callable[[Pixels], Pixels], tests: dict[str, ImageSet]
) -> dict[str, Any]:
    """Returns the row of a method without a latency: its PSNR and SSIM on all test images."""
    found = {label: evaluate(upscale, images) for label, images in tests.items()}
    images = [image for quality in found.values() for image in quality.images]
    return {
        "name": name,
        "psnr_db": float(np.mean([image.psnr_db for image in images])),
        "ssim": float(np.mean([image.ssim for image in images])),
        **{f"{label.lower()}_psnr_db": quality.psnr_db for label, quality in found.items()},
    }


def baselines(bench: Bench) -> list[dict[str, Any]]:
    """Returns rows for A+, bicubic, nearest, and ABPN with each wrong output; kept in a file."""
    path = bench.folder / "baselines.json"
    if path.exists():
        kept: list[dict[str, Any]] = json.loads(path.read_text())
        return kept
    tests, images = dict(bench.tests), bench.data.training
    rows = [
        baseline("A+", AnchoredRegression.fit(images).upscale, tests),
        baseline("bicubic", bicubic(SCALE), tests),
        baseline("nearest", nearest(SCALE), tests),
    ]
    training = bench.training(zoo.find("ABPN"))
    if not training.finished:
        return rows  # only ABPN's row is here; its weights are on another machine
    weights = training.float_weights(int8_trained=False)
    graph = zoo.abpn(SCALE)
    crops = calibration_crops(images, Recipe(STEPS), SEED)
    afterwards = quantize_afterwards(graph, weights, bench.device.weights, crops)
    rows += [
        baseline(name, upscaler(graph, afterwards, ending), tests)
        for name, ending in ENDINGS.items()
    ]
    write_json(path, rows)
    return rows


def main() -> None:
    """Trains the systems that are missing, and writes all result files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="folder with train and valid")
    parser.add_argument(
        "--test", type=Path, required=True, action="append",
        help="folder of test images, may be repeated",
    )  # fmt: skip
    parser.add_argument("--device", default="ethos-u85-1024", help="[ethos-u85-1024]")
    parser.add_argument("--only", action="append", choices=SYSTEMS, help="repeatable [all]")
    options = parser.parse_args()
    data = load_data(options.data, SCALE)
    tests = load_named_sets(options.test, SCALE)
    device = load_device(options.device)
    bench = Bench(data, tests, device, STEPS, SEED, HERE / "systems")
    networks = [SYSTEMS[name] for name in options.only or SYSTEMS]
    trained = []
    for network in networks:
        print(network.name, file=sys.stderr, flush=True)
        trained.append((network, bench.train(network, lambda progress: None)))
    rows = table([bench.time(network, one) for network, one in trained])
    sets = {"train": data.training, "valid": data.validation, **tests}
    results = {
        "device": device.name,
        "systems": rows,
        "baselines": baselines(bench),
        "images": {
            name: {"fingerprint": s.fingerprint, "files": len(s.pairs), "pixels": s.pixels}
            for name, s in sets.items()
        },
        "versions": installed_versions(),
    }
    write_json(HERE / "results.json", results)
    with (HERE / "results.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    (HERE / "README.md").write_text(readme(results))
    plot(results, HERE / "plot.svg")


if __name__ == "__main__":
    main()
