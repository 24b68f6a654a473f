"""Reads the results of other studies for the warm start of a new one."""

from __future__ import annotations

from collections.abc import Sequence

from search_spaces import InputError

from ..choices import SamplerKind
from ..quality_model.networks import ShortlyTrainedNetwork
from ..studies.study import Study, load_study
from ..studies.warm_start import WarmStart


def read_warm_starts(
    words: Sequence[str], scale: int, sampler: str, storage_url: str | None
) -> list[WarmStart]:
    """Returns the trained networks of the studies ``words``, for a new study of ``scale``.

    Raises InputError if a study does not exist, has trained nothing or has another scale, or if
    ``sampler`` would learn nothing from them.
    """
    if words and sampler != SamplerKind.SURROGATE:
        raise InputError(
            f"--warm-from: sampler {sampler} learns nothing from other studies; "
            f"leave it out, or search with {SamplerKind.SURROGATE}"
        )
    starts = []
    for word in words:
        study = _find(word, storage_url)
        if study.settings.scale != scale:
            raise InputError(
                f"--warm-from {word}: that study is of x{study.settings.scale}, this one of "
                f"x{scale}; leave it out"
            )
        starts.append(warm_start_of(study))
    return starts


def warm_start_of(study: Study) -> WarmStart:
    """Returns the trained networks of ``study``; InputError if there are none."""
    trials = study.optuna.get_trials(deepcopy=False)
    networks = tuple(
        ShortlyTrainedNetwork(
            record.network,
            record.result.psnr_db,
            record.result.psnr_db + record.result.drop_db,
            trial.params,
        )
        for record, trial in zip(study.records_of(trials), trials, strict=True)
        if record.result is not None
    )
    if not networks:
        raise InputError(f"study {study.name!r} has trained no network yet: nothing to learn from")
    return WarmStart(study.name, study.settings, networks)


def _find(word: str, storage_url: str | None) -> Study:
    """Opens the study ``word`` in the shared database if it has it, or else on this machine."""
    if storage_url is not None:
        try:
            return load_study(word, storage_url)
        except InputError:
            pass
    return load_study(word)
