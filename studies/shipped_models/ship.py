"""Adds a trained network to the models that come with the package, and checks it.

    python -m studies.shipped_models.ship FOLDER NAME --license TEXT --test DIR [--test DIR]...
        [--device D]... [--replace]

``FOLDER`` is a folder that ``nas train`` wrote, or a file ``pareto/*.tflite`` of a study with its
card beside it. ``DIR`` are test images, Set5 and Set14 among them; ``--device`` names further
devices to time the model on. ``TEXT`` is the license of the training images.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from latency_models import LatencyRequest, Worker
from latency_models.device import load_device
from latency_models.tflite.requests import (
    read_tflite,
    require_integer_only,
    require_same_operators,
    require_super_resolution,
    weight_granularity,
)
from nas.data.images import ImageSet
from nas.data.named_sets import load_named_sets
from nas.evaluation.inference import open_enlarger, open_upscaler
from nas.evaluation.model_card import SIGNED, DeviceTime, ModelCard, SetMeans, read_card
from nas.exporting.unsigned import with_unsigned_ends
from nas.latency import query
from nas.quality.image_quality import evaluate
from nas.quality_model.training_table import FULL_STEPS
from nas.shipped.catalog import MODELS, Catalog, ShippedModel, is_name
from nas.system.cores import Cores
from nas.system.files import reading, write_json, write_whole
from search_spaces import InputError, NasError, zoo

#: Test sets that papers report; every shipped model must be evaluated on them.
USUAL_TESTS = ("Set5", "Set14")
#: Largest size of a shipped model's file.
_MOST_BYTES = 250_000


@dataclass(frozen=True)
class Shipping:
    """How to ship a trained network: its name, license, tests and devices."""

    name: str
    images_license: str
    #: Folders of test images.
    tests: Sequence[Path]
    #: Devices in addition to that of the card.
    devices: Sequence[str] = ()
    target: Path = MODELS

    def run(self, source: Path, *, replace_old: bool = False) -> ShippedModel:
        """Evaluates and times the file of ``source``, and writes it with its card.

        Raises InputError, and writes nothing, if the model is incomplete.
        """
        destination = self.target / self.name
        if destination.exists() and not replace_old:
            raise InputError(
                f"{destination}: exists already; --replace replaces it with this model"
            )
        tflite, card = _file_and_card(source)
        with tempfile.TemporaryDirectory(prefix="nas-ship-") as folder:
            draft = Path(folder) / self.name
            write_whole(draft / "model.tflite", tflite)
            write_json(draft / "card.json", self._card(card, draft / "model.tflite").to_json())
            require_whole(Catalog(Path(folder)).find(self.name))
            shutil.rmtree(destination, ignore_errors=True)
            shutil.copytree(draft, destination)
        return Catalog(self.target).find(self.name)

    def _card(self, card: ModelCard, model: Path) -> ModelCard:
        """Returns the card with the new figures, and without paths of this machine."""
        tflite = model.read_bytes()
        tests = load_named_sets(self.tests, card.scale)
        return replace(
            card,
            name=self.name,
            granularity=weight_granularity(read_tflite(tflite)),
            tflite_kb=len(tflite) / 1000,
            data=card.data_label,
            device_found_as=card.device,
            command="",
            images_license=self.images_license,
            tests=tuple(_evaluated(model, name, images) for name, images in tests.items()),
            other_times=tuple(_timed(model, name) for name in self.devices if name != card.device),
        )


def require_whole(model: ShippedModel) -> None:
    """Raises a NasError if a shipped model is incomplete or contradicts its card."""
    card, tflite = model.card, model.path.read_bytes()
    file = read_tflite(tflite)
    require_integer_only(file)
    image_form = require_super_resolution(file)
    request = LatencyRequest.of_graph(card.candidate.deployed, card.input, lambda: tflite)
    require_same_operators(request, file)
    test_names = {test.name for test in card.tests}
    faults = {
        "its name contains more than lower-case letters, digits, dots and hyphens": not is_name(
            model.name
        ),
        "it has the name of a network of the zoo": zoo.is_known(model.name),
        f"its card is that of {card.name}": card.name != model.name,
        f"the file has {len(tflite)} bytes, more than {_MOST_BYTES}": len(tflite) > _MOST_BYTES,
        "the card states another size of the file": card.tflite_kb != len(tflite) / 1000,
        "the card states another input, scale or levels": (
            (image_form.input, image_form.scale, image_form.levels.dtype)
            != (card.input, card.scale, SIGNED)
        ),
        "the card states another granularity of weight scales": card.granularity
        is not weight_granularity(file),
        f"trained for fewer than {FULL_STEPS:,} steps": card.training.get("steps", 0) < FULL_STEPS,
        f"not evaluated on {' and '.join(USUAL_TESTS)}": not test_names.issuperset(USUAL_TESTS),
        "the card states no time on a device": not card.times,
        "the license of its training images is not stated": not card.images_license.strip(),
        f"the card contains a path of a local disk: {card.data}": card.data != card.data_label,
    }
    found = [fault for fault, is_so in faults.items() if is_so]
    if found:
        raise InputError(f"{model.name}: {'; '.join(found)}")


def _file_and_card(source: Path) -> tuple[bytes, ModelCard]:
    """Reads file and card from a training's folder, or of a point of a study's front."""
    is_folder = source.is_dir()
    model = source / "model.tflite" if is_folder else source
    card = source / "card.json" if is_folder else source.with_suffix(".json")
    with reading(model):
        return model.read_bytes(), read_card(card)


def _evaluated(model: Path, name: str, images: ImageSet) -> SetMeans:
    """Measures the quality on a test set.

    Raises InputError unless the file with uint8 input and output gives the same images.
    """
    with Worker() as worker:
        signed = open_enlarger(model, worker)
        unsigned = open_upscaler(
            with_unsigned_ends(model.read_bytes()), worker, Cores.available().count
        )
        first = images.pairs[0].lr
        if not np.array_equal(signed.upscale(first), unsigned.upscale(first)):
            raise InputError(f"{model}: gives other images with uint8 input and output")
        quality = evaluate(signed.upscale, images)
    return SetMeans(name, len(quality.images), images.fingerprint, quality.rgb)


def _timed(model: Path, device: str) -> DeviceTime:
    latency = query.predict(model, load_device(device), None, 3)
    # The card needs only the total; `nas latency predict` lists every operator.
    return DeviceTime(device, replace(latency, operators=()))


def main() -> None:
    """Ships one model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, metavar="FOLDER")
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--license", required=True)
    parser.add_argument("--test", type=Path, required=True, action="append")
    parser.add_argument("--device", action="append", default=[])
    parser.add_argument("--replace", action="store_true")
    options = parser.parse_args()
    shipping = Shipping(options.name, options.license, options.test, options.device)
    try:
        model = shipping.run(options.source, replace_old=options.replace)
    except NasError as error:
        raise SystemExit(f"error: {error}") from None
    print(model.card.to_markdown())
    print(model.path)


if __name__ == "__main__":
    main()
