"""Attaches models, pictures, cards and plots of a study to Optuna's dashboard.

Repeated calls write nothing twice. Notes are updated if the network has a new latency, unless a
person has edited them.
"""

from __future__ import annotations

import hashlib
import io
import uuid
from collections.abc import Iterable
from typing import Any

import optuna_dashboard
from optuna.trial import Trial

from ..choices import Objective
from ..studies.artifacts import ArtifactPlace, Artifacts
from ..studies.models import is_shared
from ..studies.study import Study
from ..system.files import json_text
from .content import ReportContent, ReportedNetwork
from .notes import note_of
from .plots.style import theme
from .previews import Previewer
from .sections import sections_of

#: Identifiers of the plots on the study's page: only a few, since optuna-dashboard stores each in
#: pieces of 2 KB.
_PLOTS = ("plot-front", "plot-progress-trials", "plot-operators", "plot-drop")
_TFLITE = "application/octet-stream"


class Attachments:
    """Files and notes of a study's trials. Not thread-safe.

    Files are stored in the study's artifact store, or without one in ``artifacts`` in its folder.
    """

    def __init__(self, study: Study) -> None:
        self._study = study
        own = ArtifactPlace(folder=study.folder.path / "artifacts")
        self._artifacts = study.artifacts() or own.open()
        self._plotted: tuple[tuple[int, float], ...] | None = None

    @property
    def artifacts(self) -> Artifacts:
        """The store from which the dashboard reads files."""
        return self._artifacts

    def attach(self, content: ReportContent) -> None:
        """Attaches models and cards of the front, and plots if trials or latencies have changed.

        Models that are only on another machine are left out. Models in a shared store are already
        attached to their trials.
        """
        for network in content.front:
            self._attach_note(content, network)
            model = self._study.folder.tflite(network.candidate)
            name = f"trial{network.trial:04d}.tflite"
            is_there = is_shared(self._study, network.trial) or self._is_attached(network, name)
            if model.is_file() and not is_there:
                self._attach(network, name, _TFLITE, model.read_bytes())
        self._set_objective_names(content)
        plotted = tuple(
            (network.trial, network.result.latency.ms) for network in content.candidates
        )
        if plotted != self._plotted:
            self._save_plots(content)
            self._plotted = plotted

    def attach_previews(self, networks: Iterable[ReportedNetwork], previewer: Previewer) -> None:
        """Attaches a preview to ``networks`` without one; NasError if it cannot be made."""
        for network in networks:
            name = f"trial{network.trial:04d}-preview.png"
            if self._is_attached(network, name):
                continue
            picture = previewer.preview(network)
            if picture is not None:
                buffer = io.BytesIO()
                picture.save(buffer, "PNG")
                self._attach(network, name, "image/png", buffer.getvalue())

    def _attach(self, network: ReportedNetwork, name: str, mimetype: str, content: bytes) -> None:
        artifact = self._artifact_id(network, name)
        self._artifacts.keep(artifact, content)
        meta = {
            "artifact_id": artifact, "filename": name, "mimetype": mimetype, "encoding": None,
        }  # fmt: skip
        # optuna.artifacts.upload_artifact refuses trials that have ended. The dashboard also reads
        # this attribute of the study, which stays writable.
        study = self._study.optuna
        study._storage.set_study_system_attr(
            study._study_id, self._key(network, name), json_text(meta)
        )

    def _is_attached(self, network: ReportedNetwork, name: str) -> bool:
        study = self._study.optuna
        known = study._storage.get_study_system_attrs(study._study_id)
        is_known = self._key(network, name) in known
        return is_known and self._artifacts.holds(self._artifact_id(network, name))

    def _key(self, network: ReportedNetwork, name: str) -> str:
        trial_id = self._trial_id(network)
        return f"dashboard:artifacts:{trial_id}:{self._artifact_id(network, name)}"

    def _artifact_id(self, network: ReportedNetwork, name: str) -> str:
        """Returns an identifier that depends on study, trial and file name only."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self._study.name}/{network.trial}/{name}"))

    def _set_objective_names(self, content: ReportContent) -> None:
        pareto = content.settings.objective is Objective.PARETO
        names = ["PSNR, dB", "runtime, ms"] if pareto else ["binary logarithm of the score"]
        if self._study.optuna.metric_names != names:
            self._study.optuna.set_metric_names(names)

    def _attach_note(self, content: ReportContent, network: ReportedNetwork) -> None:
        """Writes or updates the note of a trial, unless a person has edited it."""
        study = self._study.optuna
        trial = Trial(study, self._trial_id(network))
        note, key = note_of(content, network), f"nas:note:{network.trial}"
        current_note = optuna_dashboard.get_note(trial)
        own_digest = study._storage.get_study_system_attrs(study._study_id).get(key)
        if current_note != note and (not current_note or _digest(current_note) == own_digest):
            optuna_dashboard.save_note(trial, note)
            study._storage.set_study_system_attr(study._study_id, key, _digest(note))

    def _trial_id(self, network: ReportedNetwork) -> int:
        study = self._study.optuna
        return study._storage.get_trial_id_from_study_id_trial_number(
            study._study_id, network.trial
        )

    def _save_plots(self, content: ReportContent) -> None:
        plots = {
            plot.id: (section.title, plot.figure)
            for section in sections_of(content)
            for group in section.groups
            for plot in group.plots
        }
        for name in _PLOTS:
            if name in plots:
                title, figure = plots[name]
                figure.update_layout(_dashboard_layout(title))
                optuna_dashboard.save_plotly_graph_object(
                    self._study.optuna, figure, graph_object_id=f"nas-{name}"
                )


def _digest(note: str) -> str:
    return hashlib.sha256(note.encode()).hexdigest()[:16]


def _dashboard_layout(title: str) -> dict[str, Any]:
    """Returns a layout for the dashboard, whose figures have half the width and no heading."""
    return {
        "template": theme(dark=False),
        "title": {"text": title, "x": 0.02},
        "legend": {"y": -0.25, "yanchor": "top"},
        "paper_bgcolor": "white",
        "height": None,
    }
