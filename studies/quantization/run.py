"""Measures the PSNR that quantization after training costs, for each step of its method.

    python -m studies.quantization.run FOLDER... --data DIR --test DIR [--test DIR]

``FOLDER`` are folders that ``nas train`` wrote. Each network is quantized again, with crops of its
training images in ``DIR``, and evaluated on the test images by fake quantization. Writes
``results.csv`` and ``README.md``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from latency_models import WeightGranularity
from nas.data.images import ImageSet, load_data
from nas.data.named_sets import load_named_sets
from nas.data.pixels import Pixels
from nas.evaluation.model_card import ModelCard, read_card
from nas.quality.image_quality import evaluate
from nas.quantization.calibration import (
    balanced,
    calibration_crops,
    quantize_afterwards,
)
from nas.quantization.fake_quantization import fake_quantize_weights
from nas.quantization.rounding import round_kernels
from nas.system.files import read_arrays, write_text
from nas.training.initialization import Array
from nas.training.interpretation import Mode
from nas.training.job import Weights
from nas.training.network import Network
from nas.training.recipe import Recipe
from nas.training.tensorflow_quietly import tf
from nas.training.training_run import network_upscaler
from search_spaces import Graph, TransposedConv

from ..ledger import Ledger

HERE = Path(__file__).parent
#: Methods of quantization by their name in ``results.csv``, and how the page names them; each
#: contains the one before it.
WAYS = {
    "nearest": "nearest",
    "settled": "+ cancelling",
    "balanced": "+ scaled channels",
    "narrowed": "+ narrowed ranges (`nas`)",
}


@dataclass(frozen=True)
class Loss:
    """PSNR lost by a network on all test images, and on the one that loses most, dB."""

    network: str
    way: str
    mean_db: float
    worst_db: float


LEDGER = Ledger(HERE / "results.csv", Loss)


def with_whole_ranges(graph: Graph, weights: Weights, crops: Pixels) -> Weights:
    """Sets the INT8 range of each tensor to its smallest and largest value on the crops."""
    network = Network(graph)
    network.restore(weights)
    network.calibrate(tf.constant(crops, tf.float32), lambda low, high, values: (low, high))
    return network.snapshot()


def quantized(
    graph: Graph, float32: Weights, granularity: WeightGranularity, crops: Pixels
) -> Iterator[tuple[str, Weights]]:
    """Yields the name and the weights of each method; each has all that the one before it has."""
    settled = round_kernels(graph, with_whole_ranges(graph, float32, crops), granularity, crops)
    nearest = dict(settled)
    for node in graph.nodes:
        if isinstance(node.operator, TransposedConv):
            kernel, bias = f"{node.name}/kernel", f"{node.name}/bias"
            nearest[bias] = float32[bias]
            nearest[kernel] = fake_quantize_weights(
                tf.constant(float32[kernel]), granularity, transposed=True
            ).numpy()
    yield "nearest", nearest
    yield "settled", settled
    scaled = with_whole_ranges(graph, balanced(graph, float32, granularity, crops), crops)
    yield "balanced", round_kernels(graph, scaled, granularity, crops)
    yield "narrowed", quantize_afterwards(graph, float32, granularity, crops)


def losses(
    card: ModelCard, float32: Weights, images: ImageSet, tests: Mapping[str, ImageSet]
) -> Iterator[Loss]:
    """Yields the loss of one network by each method."""
    graph, granularity = card.candidate.deployed, card.granularity
    assert granularity is not None  # it was trained here

    def psnr_db(weights: Weights, mode: Mode) -> Array:
        upscale = network_upscaler(graph, weights, mode, card.input)
        judged = [image for test in tests.values() for image in evaluate(upscale, test).images]
        return np.array([image.rgb.psnr_db for image in judged])

    float_psnr_db = psnr_db(float32, Mode(quantize=False))
    crops = calibration_crops(images, Recipe(steps=card.training["steps"]), card.training["seed"])
    for way, weights in quantized(graph, float32, granularity, crops):
        lost = float_psnr_db - psnr_db(weights, Mode(quantize=True, granularity=granularity))
        yield Loss(card.name, way, round(float(lost.mean()), 4), round(float(lost.max()), 4))


def page() -> str:
    """Returns the text of README.md."""
    rows = LEDGER.read()
    lines = [
        "# PSNR lost by quantization after training",
        "",
        "    python -m studies.quantization.run FOLDER... --data DIR --test Set5 --test Set14",
        "",
        "PSNR in dB that a network with INT8 kernels and ranges loses against floating point,",
        "after 4,000 steps of `nas train NETWORK --recipe proxy --steps 4000 --quantize ptq`.",
        "Each entry is the mean of the losses on the test images (19 of Set5 and Set14), and the",
        "largest of them. Each method contains the one before it:",
        "",
        "- nearest: the kernels of convolutions are rounded one weight after another so that",
        "  rounding errors cancel, those of transposed convolutions are rounded to the nearest",
        "  level, and INT8 ranges span all values that occur on 128 crops",
        "- cancelling: transposed kernels are rounded one weight after another, too",
        "- scaled channels: channels of small magnitude are scaled up, if kernels have a scale for",
        "  each output channel",
        "- narrowed ranges: ranges are narrowed halfway to those of the least square error. This",
        "  is the method of `nas`",
        "",
        f"| network | {' | '.join(WAYS.values())} |",
        f"|---|{'---|' * len(WAYS)}",
    ]
    for name in dict.fromkeys(row.network for row in rows):
        own = {row.way: row for row in rows if row.network == name}
        cells = [f"{own[way].mean_db:.3f}, {own[way].worst_db:.3f}" for way in WAYS]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Quantizes all networks that are not in the table yet, and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--data", required=True)
    parser.add_argument("--test", type=Path, required=True, action="append")
    options = parser.parse_args()
    known = {row.network for row in LEDGER.read()}
    for folder in options.folders:
        card = read_card(folder / "card.json")
        if card.name in known:
            continue
        images = load_data(options.data, card.scale).training
        tests = load_named_sets(options.test, card.scale)
        for loss in list(losses(card, read_arrays(folder / "float.npz"), images, tests)):
            LEDGER.keep(loss)
            print(loss, file=sys.stderr)
    write_text(HERE / "README.md", page())


if __name__ == "__main__":
    main()
