"""One architecture trained at length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from pathlib import Path
from typing import Any, Protocol

from search_spaces import Candidate, Graph, InputError

from ..choices import Loss, Quantization, RecipeName
from ..data.arrays import DataSource, load_arrays, save_arrays, split_source
from ..data.images import EMBEDDED, Data, ImageSet, load_data
from ..data.named_sets import VALIDATION, load_named_sets
from ..evaluation.full_training import LongTraining
from ..evaluation.teacher import Teacher
from ..evaluation.validation import ValidationPoint
from ..latency.model_reference import NamedNetwork, find_network
from ..quality.image_quality import ModelQuality
from ..quality.notes import notes
from ..quality_model.training_table import FULL_STEPS
from ..searching.study_setup import DEFAULT_DEVICE
from ..shipped.catalog import file_of, is_shipped
from ..studies.expectations import KnownPsnr
from ..studies.study import Study
from ..system.cores import has_bfloat16
from ..training.job import Progress
from ..training.recipe import BOUNDS, Recipe, recipe_named
from .arguments import DeviceSource, device_of, member, word_of

#: Where in the folder images are kept that were given in memory.
IMAGES = "images"


class TrainingObserver(Protocol):
    """Is told of the progress of a training."""

    def begins(self, notes: Sequence[str]) -> None:
        """What is to be told of its images."""

    def taught(self, made: int, images: int) -> None:
        """Before the first step: of so many ``images`` the teacher has ``made`` its own."""

    def observe(self, progress: Progress) -> None:
        """A step is made: ``phase``, ``step`` of ``steps``, ``loss``."""

    def judged(self, point: ValidationPoint) -> None:
        """The network in training was judged: ``phase``, ``step``, ``psnr_db``."""


@dataclass(frozen=True)
class TrainingOutcome:
    """A finished training: its folder, and its quality on each set of images.

    ``figures`` and ``images`` are by the set's name, "validation" first. ``was_finished`` tells
    that there was nothing to do, ``study`` which one's expectations learned from it.
    """

    training: LongTraining
    figures: Mapping[str, ModelQuality]
    images: Mapping[str, ImageSet]
    was_finished: bool
    study: Study | None = None

    @property
    def folder(self) -> Path:
        """Where model, weights and card are."""
        return self.training.folder

    @property
    def path(self) -> Path:
        """The INT8 TFLite file."""
        return self.training.files.model

    @property
    def card(self) -> Path:
        """The model card, a JSON file."""
        return self.training.files.card


def train(
    what: str | Path | Graph | Candidate,
    data: DataSource = EMBEDDED,
    *,
    recipe: RecipeName | str = RecipeName.FULL,
    steps: int | None = None,
    scale: int = 3,
    batch: int | None = None,
    patch: int | None = None,
    loss: Loss | str = Loss.L1,
    quantize: Quantization | str = Quantization.AUTO,
    teacher: str | Path | None = None,
    device: DeviceSource | None = None,
    test: Sequence[str | Path] = (),
    seed: int = 0,
    folder: str | Path | None = None,
    storage: str | None = None,
    observer: TrainingObserver | None = None,
) -> TrainingOutcome:
    """Trains one architecture at length; the same call goes on from its checkpoint.

    ``what`` is "STUDY#TRIAL", the name of a zoo network (``scale`` is for it) or of one of
    ``nas.models()``, a GRAPH.json, or a ``Graph`` or ``Candidate``. ``data`` is a folder,
    "embedded", ``nas.Images`` or HR arrays, uint8 (H, W, 3); arrays are kept in the folder as PNG
    files. ``recipe`` is "full", 200,000 steps of 16 crops of 32x32 of the images and of smaller
    copies of them, or "proxy", a search's; ``steps``, ``batch`` and ``patch`` (side of an LR crop,
    pixels) are others than the recipe's.
    ``teacher``, one of ``nas.models()`` or an INT8 TFLite file, is a better network of the same
    scale, which has half a share in the images that are trained towards.
    ``device`` decides the input size and the weights' scales, ``test`` are folders to judge on
    besides, ``folder`` is where all goes (trained/NAME).

    Raises InputError if an argument is wrong, or the folder is another training's;
    KeyboardInterrupt leaves a checkpoint.

    Example::

        outcome = nas.train("first#7", "DIV2K", steps=20_000)
        print(outcome.path, outcome.figures["validation"].psnr_db)
    """
    found = _network(what, scale, storage)
    target = device_of(device or found.device or DEFAULT_DEVICE)
    scale = found.candidate.graph.scale
    tests = load_named_sets([Path(path) for path in test], scale)
    goes_to = Path(folder) if folder else Path("trained") / found.name
    training = LongTraining(
        name=found.name,
        candidate=found.candidate,
        data=_data(data, scale, goes_to),
        recipe=_recipe(
            member(RecipeName, recipe, "recipe"),
            member(Loss, loss, "loss"),
            member(Quantization, quantize, "quantize"),
            {"steps": steps, "batch": batch, "patch": patch},
        ),
        device=target,
        seed=seed,
        folder=goes_to,
        teacher=None if teacher is None else _teacher(teacher),
    )
    finished = training.finished
    quality = finished.quality if finished else _trained(training, data, observer or _Silent())
    learned = found.study is not None and _tell(found.study, training, quality)
    figures = {VALIDATION: quality}
    figures |= {name: training.test(images) for name, images in tests.items()}
    return TrainingOutcome(
        training=training,
        figures=figures,
        images={VALIDATION: training.data.validation, **tests},
        was_finished=finished is not None,
        study=found.study if learned else None,
    )


class _Silent:
    """Nobody is told."""

    def begins(self, notes: Sequence[str]) -> None:
        pass

    def taught(self, made: int, images: int) -> None:
        pass

    def observe(self, progress: Progress) -> None:
        pass

    def judged(self, point: ValidationPoint) -> None:
        pass


def _network(what: str | Path | Graph | Candidate, scale: int, storage: str | None) -> NamedNetwork:
    if isinstance(what, str | Path):
        return find_network(word_of(what), scale, storage)
    if not isinstance(what, Graph | Candidate):
        raise InputError(f"{what!r}: give a name, a path, a Graph or a Candidate")
    candidate = Candidate(what) if isinstance(what, Graph) else what
    return NamedNetwork(f"network-{candidate.hash[:8]}", candidate)


def _teacher(model: str | Path) -> Teacher:
    file = file_of(model)
    return Teacher(str(model) if is_shipped(str(model)) else file.name, file)


def _data(source: DataSource, scale: int, folder: Path) -> Data:
    """Images in memory by the name of the folder that they are kept in."""
    word, images = split_source(source)
    if images is None:
        return load_data(word or "", scale)
    return load_arrays(images, scale, str((folder / IMAGES).resolve()))


def _recipe(
    name: RecipeName, loss: Loss, quantize: Quantization, given: Mapping[str, int | None]
) -> Recipe:
    """InputError if a number is out of its bounds."""
    numbers: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    for key, value in numbers.items():
        low, high = BOUNDS[key]
        if not (isinstance(value, Integral) and low <= int(value) <= high):
            raise InputError(f"{key} {value!r}: choose {low} to {high}")
    return replace(
        recipe_named(name), **numbers, loss=loss, quantization=quantize, bfloat16=has_bfloat16()
    )


def _trained(
    training: LongTraining, source: DataSource, observer: TrainingObserver
) -> ModelQuality:
    data = training.data
    observer.begins(notes({"training": data.training, VALIDATION: data.validation}))
    evaluated = training.run(observer.observe, observer.judged, observer.taught)
    images = split_source(source)[1]
    if images is not None:
        save_arrays(images, training.folder / IMAGES, training.candidate.graph.scale)
    return evaluated.means


def _tell(study: Study, training: LongTraining, quality: ModelQuality) -> bool:
    """What its network came to, if that tells what the study may expect of the others."""
    recipe, of_study = training.recipe, study.settings.recipe
    crops = (recipe.batch, recipe.patch) == (of_study.batch, of_study.patch)
    same_images = training.data.fingerprint == study.settings.data_fingerprint
    no_others = training.teacher is None and recipe.smaller_copies == of_study.smaller_copies
    alike = crops and same_images and no_others
    if not (recipe.steps == FULL_STEPS and alike):
        return False
    study.note_full_training(KnownPsnr(training.candidate.hash, quality.psnr_db))
    return True
