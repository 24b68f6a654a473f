"""Files of a study's trained networks: upload to the artifact store, and download from it."""

from __future__ import annotations

from pathlib import Path

import optuna
from optuna.artifacts import get_all_artifact_meta, upload_artifact
from optuna.artifacts.exceptions import ArtifactNotFound

from ..system.files import write_whole
from .artifacts import Artifacts
from .folder import MODEL, WEIGHTS
from .record import TrialRecord
from .study import Study


def share_model(study: Study, trial: optuna.Trial, candidate: str) -> None:
    """Uploads the model files of ``trial`` to the study's artifact store, if it has one.

    ``candidate`` is the name of the trial's candidate. Raises ArtifactError if the upload fails.
    """
    artifacts = study.artifacts()
    if artifacts is None:
        return
    for name in (MODEL, WEIGHTS):
        path = study.folder.model(candidate) / name
        upload_artifact(artifact_store=artifacts, file_path=str(path), study_or_trial=trial)


def is_shared(study: Study, number: int) -> bool:
    """Returns whether the model files of trial ``number`` were uploaded to an artifact store."""
    return bool(_artifact_ids(study, number))


def bring_model(study: Study, record: TrialRecord) -> Path:
    """Returns the folder of the model files of ``record``; downloads them if they are missing.

    Files that exist neither here nor in the artifact store stay missing. Raises ArtifactError if
    the store cannot be reached.
    """
    folder = study.folder.model(record.candidate or "")
    if record.complete and not all((folder / name).is_file() for name in (MODEL, WEIGHTS)):
        artifacts = study.artifacts()
        if artifacts is not None and study.folder.takes_files:
            _fetch_files(study, record, artifacts, folder)
    return folder


def _fetch_files(study: Study, record: TrialRecord, artifacts: Artifacts, folder: Path) -> None:
    for name, artifact in _artifact_ids(study, record.number).items():
        try:
            content = artifacts.read(artifact)
        except ArtifactNotFound:
            continue  # it was removed from the store
        study.folder.create()
        write_whole(folder / name, content)


def _artifact_ids(study: Study, number: int) -> dict[str, str]:
    """Returns the artifact id of each uploaded model file of a trial, by file name."""
    trials = study.optuna.get_trials(deepcopy=False)
    metas = get_all_artifact_meta(trials[number], storage=study.optuna._storage)
    return {meta.filename: meta.artifact_id for meta in metas if meta.filename in (MODEL, WEIGHTS)}
