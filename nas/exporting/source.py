"""Finds the trained networks to export: trials of a study, or the folder of a long training."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from latency_models import WeightGranularity
from latency_models.device import Device, find_device
from latency_models.tflite.requests import read_tflite, weight_granularity
from search_spaces import Candidate, InputError

from ..evaluation.model_card import ModelCard, read_card
from ..studies.cards import card_of_trial
from ..studies.trial_reference import TrialReference
from ..system.files import read_arrays, reading
from ..training.weights import require_weights_of

if TYPE_CHECKING:
    from ..studies.record import TrialRecord
    from ..studies.study import Study
    from ..training.job import Weights


@dataclass(frozen=True)
class Source:
    """A trained network: its card, its weights, and the INT8 file that the card describes."""

    #: name of its folder within the export; empty if the export has one network only
    folder: str
    card: ModelCard
    weights: Weights = field(repr=False)
    #: contents of weights.npz
    npz: bytes = field(repr=False)
    #: contents of model.tflite
    tflite: bytes = field(repr=False)
    #: device of the card's latency, for commands that time the model again
    device: Device | None = None
    #: messages on what the export lacks, and why
    notes: tuple[str, ...] = ()


def find_sources(what: str, storage_url: str | None = None) -> tuple[Source, ...]:
    """Returns the networks that ``what`` names.

    ``what`` is ``STUDY#TRIAL``, ``STUDY`` (its Pareto front, best score first) or a folder of
    ``nas train``. A bare name that is a study's means the study, ``./NAME`` means the folder.
    Raises InputError, saying what is missing.
    """
    from ..studies.folder import is_study
    from ..studies.results import findings, nothing_found
    from ..studies.study import load_study

    is_named = storage_url is not None or is_study(what)
    if not is_named and (Path(what) / "card.json").is_file():
        return (_source_of_folder(Path(what)),)
    reference = TrialReference.parse(what)
    name, trial = reference.study, reference.trial
    if name and Path(name).is_dir() and not is_study(name) and not storage_url:
        raise InputError(f"{name}: no card.json in this folder; name one that `nas train` wrote")
    study = load_study(name, storage_url)
    records = {record.number: record for record in study.records()}
    if trial is not None:
        record = records.get(trial)
        if record is None or not record.complete or record.candidate is None:
            raise InputError(f"study {name!r} has no trained trial {trial}; see `nas status`")
        return (_source_of_trial(study, record, ""),)
    found = findings(study)
    if not found:
        raise InputError(f"{nothing_found(study)}; nothing to export")
    return tuple(_source_of_trial(study, records[f.trial], Path(f.file).stem) for f in found)


def _source_of_trial(study: Study, record: TrialRecord, folder: str) -> Source:
    from ..studies.models import bring_model

    files = _TrainedFiles.of(bring_model(study, record), record.network)
    card = card_of_trial(study.name, study.settings, record, files.granularity)
    return _make_source(folder, card, files)


def _source_of_folder(folder: Path) -> Source:
    card = read_card(folder / "card.json")
    files = _TrainedFiles.of(folder, card.candidate)
    return _make_source("", replace(card, granularity=files.granularity), files)


@dataclass(frozen=True)
class _TrainedFiles:
    """The files of a training: the INT8 model, and the weights that it was converted from."""

    tflite: bytes = field(repr=False)
    npz: bytes = field(repr=False)
    weights: Weights = field(repr=False)

    @classmethod
    def of(cls, folder: Path, candidate: Candidate) -> _TrainedFiles:
        """Reads both files; InputError if one is missing, damaged, or of another network."""
        model, weights = folder / "model.tflite", folder / "weights.npz"
        for path in (model, weights):
            if not path.is_file():
                raise InputError(f"{path}: not on this disk; export on the machine that trained it")
        arrays = read_arrays(weights)
        with reading(weights):
            require_weights_of(candidate.deployed, arrays)
            npz = weights.read_bytes()
        with reading(model):
            tflite = model.read_bytes()
            read_tflite(tflite)
        return cls(tflite, npz, arrays)

    @property
    def granularity(self) -> WeightGranularity:
        """Weight granularity of the file; the folder of the study's device may be gone by now."""
        return weight_granularity(read_tflite(self.tflite))


def _make_source(folder: str, card: ModelCard, files: _TrainedFiles) -> Source:
    reference = card.device_found_as or card.device
    device = None if reference is None else find_device(reference, card.device)
    notes = []
    if card.device is not None and device is None:
        notes.append(
            f"{card.name}: device {card.device} is not where it was; the latency is the card's, "
            "and RUN.md lacks that device's own commands"
        )
    return Source(folder, card, files.weights, files.npz, files.tflite, device, tuple(notes))
