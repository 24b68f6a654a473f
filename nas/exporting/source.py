"""Where exported models come from: a study's trials, or the folder of a long training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from latency_models import Latency, WeightGranularity
from latency_models.device import Device, device_label, find_device
from latency_models.tflite.requests import read_tflite, weight_granularity
from search_spaces import Candidate, InputError, InputSpec

from ..studies.trial_reference import TrialReference
from ..system.files import read_arrays, read_json, reading
from ..training.weights import require_weights_of
from .model_card import Card

if TYPE_CHECKING:
    from ..studies.record import TrialRecord
    from ..studies.study import Study
    from ..training.job import Weights


@dataclass(frozen=True)
class Source:
    """A trained network: its card, its weights, and the INT8 file that the card speaks of."""

    #: its folder within that of the export, if there may be others; else empty
    folder: str
    card: Card
    weights: Weights = field(repr=False)
    #: the files: the weights, and the model
    npz: bytes = field(repr=False)
    tflite: bytes = field(repr=False)
    #: what its latency is of, for commands that time it again
    device: Device | None = None
    #: what the export cannot hold, and why
    notes: tuple[str, ...] = ()


def find_sources(what: str, storage_url: str | None = None) -> tuple[Source, ...]:
    """``STUDY#TRIAL``, ``STUDY`` (its Pareto front, best score first) or a folder of ``nas train``.

    A study's bare name means the study, ``./NAME`` the folder. InputError says what is missing.
    """
    from ..studies.folder import is_study
    from ..studies.results import findings, nothing_found
    from ..studies.study import load_study

    is_named = storage_url is not None or is_study(what)
    if not is_named and (Path(what) / "card.json").is_file():
        return (_of_folder(Path(what)),)
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
        return (_of_trial(study, record, ""),)
    found = findings(study)
    if not found:
        raise InputError(f"{nothing_found(study)}; nothing to export")
    return tuple(_of_trial(study, records[f.trial], Path(f.file).stem) for f in found)


def _of_trial(study: Study, record: TrialRecord, folder: str) -> Source:
    settings, result, candidate = study.settings, record.result, record.candidate
    assert result is not None  # it is complete
    assert candidate is not None
    reference = record.timed_on or settings.device
    files = _Files.of(study.folder.model(candidate), record.network)
    card = Card(
        name=f"{study.name}-{record.number}",
        origin=f"study {study.name}, trial {record.number}",
        candidate=record.network,
        input=InputSpec.parse(settings.input),
        granularity=files.granularity,
        psnr_db=result.psnr_db,
        ssim=result.ssim,
        psnr_float_db=result.psnr_float_db,
        ssim_float=result.ssim_float,
        data=settings.data,
        data_fingerprint=settings.data_fingerprint,
        device=device_label(reference),
        latency=result.latency,
        training={**vars(settings.recipe), "seed": result.seed, "study_seed": settings.seed},
        versions=settings.versions,
        expected=result.expected,
    )
    return _source(folder, card, files, find_device(reference))


class _Named(BaseModel):
    model_config = ConfigDict(frozen=True)


class _Data(_Named):
    name: str
    fingerprint: str


class _TrainingCard(_Named):
    """What a long training's card.json must say to be exported."""

    name: str
    psnr_db: float
    ssim: float
    psnr_float_db: float
    ssim_float: float
    data: _Data
    input: str
    device: str
    #: not known to earlier versions
    device_found_as: str | None = None
    latency: Latency | None = None
    architecture: dict[str, Any]
    identity: dict[str, Any]
    training: Mapping[str, Any]
    versions: Mapping[str, str]


def _of_folder(folder: Path) -> Source:
    path = folder / "card.json"
    values = read_json(path)
    with reading(path):
        try:
            said = _TrainingCard.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"]))
            raise InputError(f"{key}: {first['msg']}; it is no card of `nas train`") from None
        candidate, size = Candidate.from_json(said.architecture), InputSpec.parse(said.input)
    files = _Files.of(folder, candidate)
    card = Card(
        name=said.name,
        origin="`nas train`, at full length",
        candidate=candidate,
        input=size,
        granularity=files.granularity,
        psnr_db=said.psnr_db,
        ssim=said.ssim,
        psnr_float_db=said.psnr_float_db,
        ssim_float=said.ssim_float,
        data=said.data.name,
        data_fingerprint=said.data.fingerprint,
        device=said.device,
        latency=said.latency,
        training=said.training,
        versions=said.versions,
    )
    return _source("", card, files, find_device(said.device_found_as or said.device, said.device))


@dataclass(frozen=True)
class _Files:
    """What a training left: the INT8 file, and the weights that it was made of."""

    tflite: bytes = field(repr=False)
    npz: bytes = field(repr=False)
    weights: Weights = field(repr=False)

    @classmethod
    def of(cls, folder: Path, candidate: Candidate) -> _Files:
        """InputError if one is not here, cannot be read, or is of another network."""
        model, weights = folder / "model.tflite", folder / "weights.npz"
        for path in (model, weights):
            if not path.is_file():
                raise InputError(f"{path}: not on this disk; export on the machine that trained it")
        values = read_arrays(weights)
        with reading(weights):
            require_weights_of(candidate.deployed, values)
            npz = weights.read_bytes()
        with reading(model):
            tflite = model.read_bytes()
            read_tflite(tflite)
        return cls(tflite, npz, values)

    @property
    def granularity(self) -> WeightGranularity:
        """As the file has it: the folder of a study's device may have moved since."""
        return weight_granularity(read_tflite(self.tflite))


def _source(folder: str, card: Card, files: _Files, device: Device | None) -> Source:
    notes = []
    if card.device is not None and device is None:
        notes.append(
            f"{card.name}: device {card.device} is not where it was; the latency is the card's, "
            "and RUN.md lacks that device's own commands"
        )
    return Source(folder, card, files.weights, files.npz, files.tflite, device, tuple(notes))
