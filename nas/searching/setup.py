"""From a wish to a study: found as it was made, or made with defaults for what is not said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from latency_models import WeightGranularity, Worker
from latency_models.device import device_path, load_device, open_source
from search_spaces import InputSpec
from search_spaces.fingerprint import fingerprint
from search_spaces.naming import from_anywhere
from search_spaces.space import load_space, space_path

from ..choices import Objective, Precision, Quantization, RecipeName, SamplerKind
from ..cores import has_bfloat16
from ..images.baselines import bicubic, nearest
from ..images.data import EMBEDDED, ImageSet, data_path, load_data
from ..images.quality import evaluate
from ..networks.recipe import Recipe, recipe_named
from ..studies.settings import References, Settings, Wish, installed_versions
from ..studies.study import Study, StudyFolder, create_study, find_study
from .loop import Resources
from .rehearsal import rehearse

T = TypeVar("T")

DEFAULT_SPACE = "anchor"
DEFAULT_DEVICE = "vs680"
DEFAULT_SCALE = 3
_TIMING_TIMEOUT_SECONDS = 300.0


def prepare_study(
    name: str | None, wish: Wish, storage_url: str | None, worker: Worker
) -> tuple[Study, Resources]:
    """The study of that name, made if it is not there; InputError if it was made otherwise.

    Without a name it is called after its space, device and scale, so that the same command
    continues the same study. If another search makes it meanwhile, this one joins that.
    """
    wish = canonical(wish)
    folder = StudyFolder.named(_default_name(wish) if name is None else name)
    study = find_study(folder, storage_url)
    if study is None:
        settings, resources = _settle(wish, worker)
        study = create_study(folder, storage_url, settings)
        if study.settings == settings:
            return study, resources
    study.settings.refuse_other(folder.name, wish)
    return study, Resources.of(study.settings)


def canonical(wish: Wish) -> Wish:
    """Files and folders by their whole path: a study may be continued from elsewhere."""

    def whole(word: str | None, path_of: Callable[[str], Path | None]) -> str | None:
        return None if word is None else from_anywhere(word, path_of(word))

    return replace(
        wish,
        space=whole(wish.space, space_path),
        device=whole(wish.device, device_path),
        data=whole(wish.data, data_path),
        input=None if wish.input is None else str(InputSpec.parse(wish.input)),
    )


def _default_name(wish: Wish) -> str:
    space = Path(_said(wish.space, DEFAULT_SPACE)).stem
    device = Path(_said(wish.device, DEFAULT_DEVICE)).name
    return f"{space}-{device}-x{_said(wish.scale, DEFAULT_SCALE)}"


def _said(value: T | None, default: T) -> T:
    """An empty word is a word, and no default."""
    return default if value is None else value


def _settle(wish: Wish, worker: Worker) -> tuple[Settings, Resources]:
    space_name, device_name = _said(wish.space, DEFAULT_SPACE), _said(wish.device, DEFAULT_DEVICE)
    device, space = load_device(device_name), load_space(space_name)
    open_source(device, worker)  # its settings may be refused
    scale, data_name = _said(wish.scale, DEFAULT_SCALE), _said(wish.data, EMBEDDED)
    input_spec = device.input if wish.input is None else InputSpec.parse(wish.input)
    data = load_data(data_name, scale)
    baselines = _said(wish.baselines, True)
    rehearse(space, input_spec, data.validation, baselines=baselines)
    recipe = _recipe(wish, data.training, device.weights, worker)
    settings = Settings(
        space=space_name,
        space_version=space.version,
        space_fingerprint=fingerprint(space, scale),
        device=device_name,
        device_fingerprint=device.fingerprint,
        data=data_name,
        data_fingerprint=data.fingerprint,
        input=str(input_spec),
        scale=scale,
        objective=_said(wish.objective, Objective.SCORE),
        sampler=_said(wish.sampler, SamplerKind.TPE),
        quantize=recipe.quantization,
        max_latency_ms=wish.max_latency_ms,
        seed=_said(wish.seed, 0),
        trial_seconds=wish.trial_seconds,
        baselines=baselines,
        recipe=recipe,
        references=_references(data.validation),
        versions=installed_versions(),
    )
    return settings, Resources(space, device, data)


def _recipe(wish: Wish, images: ImageSet, granularity: WeightGranularity, worker: Worker) -> Recipe:
    """The proxy's, as far as ``wish`` says nothing else; what only a timing tells is timed."""
    recipe, precision = recipe_named(RecipeName.PROXY), wish.precision
    if wish.trial_seconds is not None or (precision is None and has_bfloat16()):
        one = ImageSet(images.scale, images.pairs[:1])  # enough for a timing
        recipe = worker.call(
            _TIMING_TIMEOUT_SECONDS, _choose_recipe, one, granularity, wish.trial_seconds, precision
        )
    return replace(
        recipe,
        steps=_said(wish.steps, recipe.steps),
        quantization=_said(wish.quantize, Quantization.AUTO),
        bfloat16=recipe.bfloat16 if precision is None else precision is Precision.BFLOAT16,
    )


def _choose_recipe(
    images: ImageSet,
    granularity: WeightGranularity,
    trial_seconds: float | None,
    precision: Precision | None,
) -> Recipe:
    from ..networks.proxy import choose_recipe

    return choose_recipe(images, granularity, trial_seconds, precision)


def _references(images: ImageSet) -> References:
    smooth = evaluate(bicubic(images.scale), images)
    blocky = evaluate(nearest(images.scale), images)
    return References(smooth.psnr_db, smooth.ssim, blocky.psnr_db, blocky.ssim)
