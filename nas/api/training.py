"""Trains one architecture at full length."""

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
from .arguments import DeviceSource, argument_text, choice_of, device_of

#: Subfolder of a training's folder for images that were given in memory.
IMAGES = "images"


class TrainingObserver(Protocol):
    """Receives the progress of a training."""

    def begins(self, notes: Sequence[str]) -> None:
        """Receives notes on the images, before the training starts."""

    def taught(self, made: int, images: int) -> None:
        """Called before the first step: the teacher has enlarged ``made`` of ``images`` images."""

    def observe(self, progress: Progress) -> None:
        """Called after a step; ``progress`` has ``phase``, ``step`` of ``steps``, and ``loss``."""

    def judged(self, point: ValidationPoint) -> None:
        """Called after a validation; ``point`` has ``phase``, ``step`` and ``psnr_db``."""


@dataclass(frozen=True)
class TrainingOutcome:
    """A finished training: its folder, and its quality on each set of images.

    ``figures`` and ``images`` are keyed by the set's name, "validation" first. ``was_finished`` is
    true if there was nothing left to do. ``study`` is the study whose expected PSNR takes this
    training into account from now on, or None.
    """

    training: LongTraining
    figures: Mapping[str, ModelQuality]
    images: Mapping[str, ImageSet]
    was_finished: bool
    study: Study | None = None

    @property
    def folder(self) -> Path:
        """The folder of model, weights and card."""
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
    """Trains one architecture at full length; the same call resumes from its checkpoint.

    ``what`` is "STUDY#TRIAL", the name of a zoo network or of one of ``nas.models()``, a
    GRAPH.json, or a ``Graph`` or ``Candidate``; ``scale`` applies to zoo networks only. ``data`` is
    a folder, "embedded", ``nas.Images`` or HR arrays, uint8 (H, W, 3); arrays are kept in the
    training's folder as PNG files. ``recipe`` is "full", 200,000 steps of 16 LR crops of 32x32
    pixels from the images and from smaller copies of them, or "proxy", the recipe of a search;
    ``steps``, ``batch`` and ``patch`` (side of an LR crop, pixels) replace those of the recipe.
    ``teacher``, one of ``nas.models()`` or an INT8 TFLite file, is a better network of the same
    scale; the training targets are the mean of the HR images and of its output.
    ``device`` determines the input size and the granularity of weight scales; ``test`` are folders
    of further images to evaluate on; ``folder`` receives all results (default: trained/NAME).

    Raises InputError if an argument is wrong, or the folder belongs to another training;
    KeyboardInterrupt leaves a checkpoint.

    Example::

        outcome = nas.train("first#7", "DIV2K", steps=20_000)
        print(outcome.path, outcome.figures["validation"].psnr_db)
    """
    found = _network(what, scale, storage)
    target = device_of(device or found.device or DEFAULT_DEVICE)
    scale = found.candidate.graph.scale
    tests = load_named_sets([Path(path) for path in test], scale)
    target_folder = Path(folder) if folder else Path("trained") / found.name
    training = LongTraining(
        name=found.name,
        candidate=found.candidate,
        data=_data(data, scale, target_folder),
        recipe=_recipe(
            choice_of(RecipeName, recipe, "recipe"),
            choice_of(Loss, loss, "loss"),
            choice_of(Quantization, quantize, "quantize"),
            {"steps": steps, "batch": batch, "patch": patch},
        ),
        device=target,
        seed=seed,
        folder=target_folder,
        teacher=None if teacher is None else _teacher(teacher),
    )
    finished = training.finished
    quality = (
        finished.quality
        if finished
        else _run_training(training, data, observer or _SilentTrainingObserver())
    )
    is_noted = found.study is not None and _note_in_study(found.study, training, quality)
    figures = {VALIDATION: quality}
    figures |= {name: training.test(images) for name, images in tests.items()}
    return TrainingOutcome(
        training=training,
        figures=figures,
        images={VALIDATION: training.data.validation, **tests},
        was_finished=finished is not None,
        study=found.study if is_noted else None,
    )


class _SilentTrainingObserver:
    """Ignores the progress of a training."""

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
        return find_network(argument_text(what), scale, storage)
    if not isinstance(what, Graph | Candidate):
        raise InputError(f"{what!r}: give a name, a path, a Graph or a Candidate")
    candidate = Candidate(what) if isinstance(what, Graph) else what
    return NamedNetwork(f"network-{candidate.hash[:8]}", candidate)


def _teacher(model: str | Path) -> Teacher:
    file = file_of(model)
    return Teacher(str(model) if is_shipped(str(model)) else file.name, file)


def _data(source: DataSource, scale: int, folder: Path) -> Data:
    """Loads the images; those in memory are named by the folder that will keep them."""
    name, images = split_source(source)
    if images is None:
        return load_data(name or "", scale)
    return load_arrays(images, scale, str((folder / IMAGES).resolve()))


def _recipe(
    name: RecipeName, loss: Loss, quantize: Quantization, given: Mapping[str, int | None]
) -> Recipe:
    """Returns the recipe with the given changes; raises InputError for one out of bounds."""
    numbers: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    for key, value in numbers.items():
        low, high = BOUNDS[key]
        if not (isinstance(value, Integral) and low <= int(value) <= high):
            raise InputError(f"{key} {value!r}: choose {low} to {high}")
    return replace(
        recipe_named(name), **numbers, loss=loss, quantization=quantize, bfloat16=has_bfloat16()
    )


def _run_training(
    training: LongTraining, source: DataSource, observer: TrainingObserver
) -> ModelQuality:
    data = training.data
    observer.begins(notes({"training": data.training, VALIDATION: data.validation}))
    evaluated = training.run(observer.observe, observer.judged, observer.taught)
    images = split_source(source)[1]
    if images is not None:
        save_arrays(images, training.folder / IMAGES, training.candidate.graph.scale)
    return evaluated.means


def _note_in_study(study: Study, training: LongTraining, quality: ModelQuality) -> bool:
    """Notes the PSNR in the study if the training is comparable with those of its networks.

    Returns whether it was noted.
    """
    recipe, study_recipe = training.recipe, study.settings.recipe
    same_crops = (recipe.batch, recipe.patch) == (study_recipe.batch, study_recipe.patch)
    same_images = training.data.fingerprint == study.settings.data_fingerprint
    same_copies = recipe.smaller_copies == study_recipe.smaller_copies
    is_comparable = same_crops and same_images and same_copies and training.teacher is None
    if not (recipe.steps == FULL_STEPS and is_comparable):
        return False
    study.note_full_training(KnownPsnr(training.candidate.hash, quality.psnr_db))
    return True
