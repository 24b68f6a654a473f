"""Finds networks by name: trials, networks of the zoo, shipped models, and JSON files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latency_models import WeightGranularity
from latency_models.tflite.requests import read_tflite, weight_granularity
from search_spaces import Candidate, InputError, InputSpec, zoo
from search_spaces.naming import unknown

from ..shipped.catalog import is_shipped, shipped
from ..studies.folder import is_study
from ..studies.trial_reference import TrialReference
from ..system.files import read_json, reading

if TYPE_CHECKING:
    from ..studies.record import TrialRecord
    from ..studies.study import Study


@dataclass(frozen=True)
class TrainedFile:
    """A trained INT8 model and its input size; the file may be on another machine only."""

    path: Path
    input: InputSpec

    def matches(self, spec: InputSpec, granularity: WeightGranularity) -> bool:
        """Returns whether the file is here and has this input size and weight granularity."""
        if self.input != spec or not self.path.is_file():
            return False
        with reading(self.path):
            return weight_granularity(read_tflite(self.path.read_bytes())) is granularity


@dataclass(frozen=True)
class NamedNetwork:
    """A network and its name; ``trained`` is None if it was not trained.

    ``device`` is the target device of a trial or a shipped model, else None.
    """

    name: str
    candidate: Candidate
    device: str | None = None
    trained: TrainedFile | None = None
    #: the study, if the network is that of a trial
    study: Study | None = None


#: Names that are valid as a file or folder name.
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_TRIAL = re.compile(r"(?P<study>.+)#[0-9]+")


def network_path(what: str) -> Path | None:
    """Returns ``what`` as a path; None if it is STUDY#TRIAL, a zoo network or a shipped model."""
    trial = _TRIAL.fullmatch(what)
    is_trial = trial is not None and ("/" not in what or is_study(trial["study"]))
    return None if is_trial or zoo.is_known(what) or is_shipped(what) else Path(what)


def find_network(what: str, scale: int, storage_url: str | None = None) -> NamedNetwork:
    """Returns the network ``what``: STUDY#TRIAL, a zoo network, a shipped model, or a JSON file.

    ``scale`` applies to zoo networks. Raises InputError if there is no such network.
    """
    if is_shipped(what):
        return _shipped_network(what)
    path = network_path(what)
    if path is not None and path.suffix == ".json":
        return _network_of_file(path)
    reference = TrialReference.parse(what)
    if reference.trial is None:
        if not zoo.is_known(what):
            raise InputError(_unknown_message(what))
        network = zoo.find(what)
        return NamedNetwork(f"{network.name}-x{scale}", network.build(scale))
    return _trial_network(reference.study, reference.trial, storage_url)


def _unknown_message(what: str) -> str:
    if Path(what).suffix == ".tflite":
        return (
            f"{what}: a TFLite file does not hold the network as it is trained; name its "
            "card.json, STUDY#TRIAL, or a network of `nas zoo list`"
        )
    if what and Path(what).exists():
        return f"{what}: is no network; a network's file ends in .json, a model's in .tflite"
    published, trained = [network.name for network in zoo.ZOO], shipped().names
    return (
        f"{unknown('network', what, [*published, *trained])}; of the zoo: {', '.join(published)}; "
        f"of `nas models list`: {', '.join(trained) or 'none'}"
    )


def _shipped_network(name: str) -> NamedNetwork:
    model = shipped().find(name)
    trained = TrainedFile(model.path, model.card.input)
    return NamedNetwork(name, model.card.candidate, model.card.device, trained)


def _trial_network(study_name: str, number: int, storage_url: str | None) -> NamedNetwork:
    from ..studies.study import load_study

    study = load_study(study_name, storage_url)
    for record in study.records():
        if record.number == number and record.architecture is not None:
            name, device = f"{study.name}-{number}", study.settings.device
            return NamedNetwork(name, record.network, device, _trained_file(study, record), study)
    raise InputError(
        f"{study_name}#{number}: the study has no such trial, or it never sampled a network"
    )


def _trained_file(study: Study, record: TrialRecord) -> TrainedFile | None:
    """Returns the trained file of a trial, None if it was not trained."""
    from ..studies.folder import MODEL
    from ..studies.models import bring_model

    if record.candidate is None or not record.complete:
        return None
    path = bring_model(study, record) / MODEL
    return TrainedFile(path, InputSpec.parse(study.settings.input))


def _network_of_file(path: Path) -> NamedNetwork:
    data = read_json(path)
    with reading(path):
        # A model card has its network under "architecture".
        is_card = isinstance(data, dict) and "architecture" in data
        candidate = Candidate.from_json(data["architecture"] if is_card else data)
    return NamedNetwork(_name_of_card(data, path) if is_card else path.stem, candidate)


def _name_of_card(card: Mapping[str, Any], path: Path) -> str:
    """Returns study and trial or the name in the card, else the name of the file or its folder."""
    name = f"{card['study']}-{card.get('trial')}" if "study" in card else card.get("name")
    if isinstance(name, str) and _FILE_NAME.fullmatch(name):
        return name
    return path.stem if path.stem != "card" else path.resolve().parent.name
