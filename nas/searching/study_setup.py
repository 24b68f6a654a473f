"""Opens the study of a request, or creates it with defaults for the missing options."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from latency_models import WeightGranularity, Worker
from latency_models.device import device_path, load_device, open_source
from search_spaces import InputSpec
from search_spaces.naming import from_anywhere
from search_spaces.spaces.fingerprint import fingerprint
from search_spaces.spaces.loading import load_space, space_path

from ..choices import Objective, Precision, Quantization, RecipeName, Risk, SamplerKind
from ..data.arrays import load_arrays, save_arrays
from ..data.images import EMBEDDED, ImageSet, data_path, load_data
from ..quality.baselines import bicubic, nearest
from ..quality.image_quality import evaluate
from ..studies.folder import StudyFolder
from ..studies.settings import References, Settings, StudyRequest
from ..studies.study import Study, create_study, find_study
from ..system.cores import has_bfloat16
from ..system.versions import installed_versions
from ..training.recipe import Recipe, recipe_named
from .objects import NO_OBJECTS, SearchObjects
from .preflight import require_searchable
from .warm_starts import read_warm_starts
from .worker_loop import Resources

T = TypeVar("T")

DEFAULT_SPACE = "mobile"
DEFAULT_DEVICE = "vs680"
DEFAULT_SCALE = 3
DEFAULT_SAMPLER = SamplerKind.SURROGATE
_TIMING_TIMEOUT_SECONDS = 300.0


def prepare_study(
    name: str | None,
    request: StudyRequest,
    storage_url: str | None,
    worker: Worker,
    objects: SearchObjects = NO_OBJECTS,
) -> tuple[Study, Resources]:
    """Opens the study ``name``, or creates it; InputError if it has other settings.

    The default name is made from space, device and scale, so that the same command continues the
    same study. If another process creates the study at the same time, this one joins it.
    """
    request = canonical(request)
    folder = objects.study_folder(_default_name(request, objects) if name is None else name)
    study = find_study(folder, storage_url)
    if study is None:
        sampler = objects.words.get("sampler") or _or_default(request.sampler, DEFAULT_SAMPLER)
        scale = _or_default(request.scale, DEFAULT_SCALE)
        warm_starts = read_warm_starts(request.warm_from or (), scale, sampler, storage_url)
        settings, resources = _make_settings(request, worker, objects, folder)
        study = create_study(folder, storage_url, settings, warm_starts)
        if study.settings == settings:
            return study, resources
    study.settings.refuse_other(folder.name, request)
    objects.require_complete_for(study)
    return study, Resources.of(study.settings, objects)


def canonical(request: StudyRequest) -> StudyRequest:
    """Returns ``request`` with absolute paths, so that any folder can continue the study."""

    def absolute(word: str | None, path_of: Callable[[str], Path | None]) -> str | None:
        return None if word is None else from_anywhere(word, path_of(word))

    return replace(
        request,
        space=absolute(request.space, space_path),
        device=absolute(request.device, device_path),
        data=absolute(request.data, data_path),
        warm_from=_distinct_absolute(request.warm_from),
        input=None if request.input is None else str(InputSpec.parse(request.input)),
    )


def _distinct_absolute(studies: Sequence[str] | None) -> tuple[str, ...] | None:
    """Returns the studies without duplicates, folders as absolute paths.

    Names are left as they are, since they may be found in a shared database.
    """
    if studies is None:
        return None
    words = (from_anywhere(word, Path(word) if os.sep in word else None) for word in studies)
    return tuple(dict.fromkeys(words))


def _default_name(request: StudyRequest, objects: SearchObjects) -> str:
    space = Path(_or_default(request.space, DEFAULT_SPACE)).stem
    if objects.space is not None:
        space = re.sub(r"\W+", "", objects.space.name.rpartition(".")[2])
    device = Path(_or_default(request.device, DEFAULT_DEVICE)).name
    if objects.device is not None:
        device = objects.device.name
    return f"{space}-{device}-x{_or_default(request.scale, DEFAULT_SCALE)}"


def _or_default(value: T | None, default: T) -> T:
    """Returns ``default`` for None only: an empty text is an error that is reported later."""
    return default if value is None else value


def _make_settings(
    request: StudyRequest, worker: Worker, objects: SearchObjects, folder: StudyFolder
) -> tuple[Settings, Resources]:
    """Returns the settings of a new study and what its workers read; saves passed images."""
    words = objects.words
    space_name = words.get("space") or _or_default(request.space, DEFAULT_SPACE)
    device_name = words.get("device") or _or_default(request.device, DEFAULT_DEVICE)
    device = objects.device or load_device(device_name)
    space = objects.space or load_space(space_name)
    open_source(device, worker)  # raises an error if its settings cannot be used
    scale = _or_default(request.scale, DEFAULT_SCALE)
    input_spec = device.input if request.input is None else InputSpec.parse(request.input)
    if objects.images is None:
        data = load_data(_or_default(request.data, EMBEDDED), scale)
    else:
        data = load_arrays(objects.images, scale, str(folder.images.resolve()))
    baselines = _or_default(request.baselines, True)
    require_searchable(space, input_spec, data.validation, baselines=baselines)
    recipe = _recipe(request, data.training, device.weights, worker)
    if objects.images is not None:  # kept for later commands and other processes
        folder.create()
        save_arrays(objects.images, folder.images, scale)
    settings = Settings(
        space=space_name,
        space_version=space.version,
        space_fingerprint=fingerprint(space, scale),
        device=device_name,
        device_fingerprint=device.fingerprint,
        data=data.name,
        data_fingerprint=data.fingerprint,
        input=str(input_spec),
        scale=scale,
        objective=_or_default(request.objective, Objective.SCORE),
        risk=_or_default(request.risk, Risk.MEAN),
        sampler=words.get("sampler") or _or_default(request.sampler, DEFAULT_SAMPLER),
        quantize=recipe.quantization,
        max_latency_ms=request.max_latency_ms,
        seed=_or_default(request.seed, 0),
        trial_seconds=request.trial_seconds,
        baselines=baselines,
        recipe=recipe,
        references=_references(data.validation),
        versions=installed_versions(),
        warm_from=request.warm_from or (),
    )
    return settings, Resources.deployed(space, device, data, objects.sampler)


def _recipe(
    request: StudyRequest, images: ImageSet, granularity: WeightGranularity, worker: Worker
) -> Recipe:
    """Returns the proxy recipe with the options of ``request``; times training steps if needed."""
    recipe, precision = recipe_named(RecipeName.PROXY), request.precision
    if request.trial_seconds is not None or (precision is None and has_bfloat16()):
        one_image = ImageSet(images.scale, images.pairs[:1])  # enough for timing
        recipe = worker.call(
            _TIMING_TIMEOUT_SECONDS,
            _choose_recipe,
            one_image,
            granularity,
            request.trial_seconds,
            precision,
        )
    return replace(
        recipe,
        steps=_or_default(request.steps, recipe.steps),
        quantization=_or_default(request.quantize, Quantization.AUTO),
        bfloat16=recipe.bfloat16 if precision is None else precision is Precision.BFLOAT16,
    )


def _choose_recipe(
    images: ImageSet,
    granularity: WeightGranularity,
    trial_seconds: float | None,
    precision: Precision | None,
) -> Recipe:
    from ..training.proxy import choose_recipe

    return choose_recipe(images, granularity, trial_seconds, precision)


def _references(images: ImageSet) -> References:
    by_bicubic, by_nearest = (evaluate(f(images.scale), images) for f in (bicubic, nearest))
    return References(by_bicubic.psnr_db, by_nearest.psnr_db)
