"""From a wish to a study: found as it was made, or made with defaults for what is not said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from latency_models import WeightGranularity, Worker
from latency_models.device import load_device
from search_spaces import InputSpec
from search_spaces.space import load_space

from . import baselines
from .choices import Objective, Quantization, SamplerKind
from .data import EMBEDDED, ImageSet, load_data
from .quality import evaluate
from .recipe import Recipe
from .search import Resources
from .settings import References, Settings, Wish, installed_versions
from .study import Study, StudyFolder, create_study, find_study

DEFAULT_SPACE = "anchor"
DEFAULT_DEVICE = "ethos-u85-1024"
DEFAULT_SCALE = 3
DEFAULT_TRIAL_SECONDS = 20.0
_TIMING_TIMEOUT_SECONDS = 300.0


def prepare_study(
    name: str | None, wish: Wish, storage_url: str | None, worker: Worker
) -> tuple[Study, Resources]:
    """The study of that name, made if it is not there; InputError if it was made otherwise.

    Without a name it is called after its space, device and scale, so that the same command
    continues the same study.
    """
    wish = _absolute(wish)
    folder = StudyFolder.named(name or _default_name(wish))
    study = find_study(folder, storage_url)
    if study is not None:
        study.settings.refuse_other(folder.name, wish)
        return study, Resources.of(study.settings)
    settings, resources = _settle(wish, worker)
    return create_study(folder, storage_url, settings), resources


def _absolute(wish: Wish) -> Wish:
    """Files and folders by their whole path: a study may be continued from elsewhere."""

    def whole(text: str | None) -> str | None:
        return str(Path(text).resolve()) if text and Path(text).exists() else text

    return replace(wish, space=whole(wish.space), device=whole(wish.device), data=whole(wish.data))


def _default_name(wish: Wish) -> str:
    space = Path(wish.space or DEFAULT_SPACE).stem
    device = Path(wish.device or DEFAULT_DEVICE).name
    return f"{space}-{device}-x{wish.scale or DEFAULT_SCALE}"


def _settle(wish: Wish, worker: Worker) -> tuple[Settings, Resources]:
    device = load_device(wish.device or DEFAULT_DEVICE)
    space = load_space(wish.space or DEFAULT_SPACE)
    scale = wish.scale or DEFAULT_SCALE
    input_spec = InputSpec.parse(wish.input) if wish.input else device.input
    data = load_data(wish.data or EMBEDDED, scale)
    trial_seconds = wish.trial_seconds or DEFAULT_TRIAL_SECONDS
    quantize = wish.quantize or Quantization.QAT
    recipe = worker.call(
        _TIMING_TIMEOUT_SECONDS, _choose_recipe, _sample_of(data.training), device.weights,
        trial_seconds, quantize,
    )  # fmt: skip
    settings = Settings(
        space=wish.space or DEFAULT_SPACE,
        space_version=space.version,
        space_fingerprint=space.fingerprint,
        device=wish.device or DEFAULT_DEVICE,
        data=wish.data or EMBEDDED,
        data_fingerprint=data.fingerprint,
        input=str(input_spec),
        scale=scale,
        objective=wish.objective or Objective.SCORE,
        sampler=wish.sampler or SamplerKind.TPE,
        quantize=quantize,
        max_latency_ms=wish.max_latency_ms,
        seed=wish.seed or 0,
        trial_seconds=trial_seconds,
        baselines=True if wish.baselines is None else wish.baselines,
        recipe=recipe,
        references=_references(data.validation),
        versions=installed_versions(),
    )
    return settings, Resources(space, data)


def _sample_of(images: ImageSet) -> ImageSet:
    """One image is enough for a timing."""
    return ImageSet(images.scale, images.pairs[:1])


def _choose_recipe(
    images: ImageSet, granularity: WeightGranularity, trial_seconds: float, quantize: Quantization
) -> Recipe:
    from .proxy import choose_recipe

    return choose_recipe(images, granularity, trial_seconds, quantize)


def _references(images: ImageSet) -> References:
    bicubic = evaluate(baselines.bicubic(images.scale), images)
    nearest = evaluate(baselines.nearest(images.scale), images)
    return References(bicubic.psnr_db, bicubic.ssim, nearest.psnr_db, nearest.ssim)
