"""The files of a study's trained networks: on this machine, and where every machine finds them."""

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
    """Puts the files of ``trial``'s network where all machines find them, if the study says where.

    ArtifactError if it takes nothing.
    """
    artifacts = study.artifacts()
    if artifacts is None:
        return
    for name in (MODEL, WEIGHTS):
        path = study.folder.model(candidate) / name
        upload_artifact(artifact_store=artifacts, file_path=str(path), study_or_trial=trial)


def is_shared(study: Study, number: int) -> bool:
    """Has trial ``number`` left its files where other machines find them?"""
    return bool(_shared_files(study, number))


def bring_model(study: Study, record: TrialRecord) -> Path:
    """The folder of the network of ``record``, with its files if they are to be had.

    What this machine lacks is fetched. ArtifactError if its place is out of reach.
    """
    folder = study.folder.model(record.candidate or "")
    if record.complete and not all((folder / name).is_file() for name in (MODEL, WEIGHTS)):
        artifacts = study.artifacts()
        if artifacts is not None and study.folder.takes_files:
            _fetch(study, record, artifacts, folder)
    return folder


def _fetch(study: Study, record: TrialRecord, artifacts: Artifacts, folder: Path) -> None:
    for name, artifact in _shared_files(study, record.number).items():
        try:
            content = artifacts.read(artifact)
        except ArtifactNotFound:
            continue  # removed there: as if it never was
        study.folder.create()
        write_whole(folder / name, content)


def _shared_files(study: Study, number: int) -> dict[str, str]:
    """Names of files, and of the artifacts that they are."""
    trials = study.optuna.get_trials(deepcopy=False)
    metas = get_all_artifact_meta(trials[number], storage=study.optuna._storage)
    return {meta.filename: meta.artifact_id for meta in metas if meta.filename in (MODEL, WEIGHTS)}
