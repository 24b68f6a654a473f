"""The contents of a report as typed values, independent of their presentation."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from ..quality.score import score_ratio
from ..studies.budget import Budget
from ..studies.lead import Lead
from ..studies.options import SearchOptions
from ..studies.record import Result, TrialRecord
from ..studies.results import ParetoPoint, findings
from ..studies.settings import Settings
from .history import Moment, history_of

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from ..studies.study import Study

ABPN = "ABPN"
#: Least PSNR gain over bicubic interpolation of the highlighted fastest network.
WORTHWHILE_GAIN_DB = 1.0


class TrialStatus(StrEnum):
    """Status of a trial, as it is shown."""

    FRONT = "front"
    TRAINED = "trained"
    OVER_LIMIT = "over the limit"
    REFERENCE = "reference"
    RUNNING = "running"
    WAITING = "waiting"
    REFUSED = "not trained"


@dataclass(frozen=True)
class ReportedNetwork:
    """A trained network of the study: a candidate or a reference."""

    record: TrialRecord = field(repr=False)
    result: Result
    #: ratio of its score to that of the yardstick
    ratio: float
    #: name of the device of its latency
    device: str

    @property
    def trial(self) -> int:
        """Number of the trial."""
        return self.record.number

    @property
    def name(self) -> str:
        """Name for people: "ABPN", "trial 12"."""
        return self.record.baseline or f"trial {self.trial}"

    @property
    def candidate(self) -> str:
        """Hash of the network."""
        return self.record.candidate or ""

    @property
    def is_reference(self) -> bool:
        """Whether it is a reference, and not found by the search."""
        return self.record.baseline is not None

    @property
    def within_limit(self) -> bool:
        return self.record.within_limit


@dataclass(frozen=True)
class TrialLine:
    """One line of the table of trials."""

    number: int
    status: TrialStatus
    #: name of a reference, or outcome and reason of a trial that was not trained
    remark: str
    #: sampled parameters, "depth 3, width_1 8"
    parameters: str
    network: ReportedNetwork | None


@dataclass(frozen=True)
class Highlight:
    """A network worth looking at; ``title`` says why."""

    title: str
    network: ReportedNetwork


@dataclass(frozen=True)
class ReportContent:
    """Contents of a report, without pictures."""

    name: str
    settings: Settings
    budget: Budget
    elapsed_seconds: float
    #: name of the network whose score is 1: ABPN, or the best one in studies without ABPN
    yardstick: str
    #: ratio of the best score to that of ABPN; None if one of them is missing
    lead: Lead | None
    candidates: tuple[ReportedNetwork, ...]
    references: tuple[ReportedNetwork, ...]
    #: best score first
    front: tuple[ReportedNetwork, ...]
    highlights: tuple[Highlight, ...]
    history: tuple[Moment, ...]
    lines: tuple[TrialLine, ...]
    #: Optuna's trials of ``candidates``, for plots of parameters
    trials: tuple[FrozenTrial, ...]
    command: str

    @property
    def has_abpn(self) -> bool:
        return self.yardstick == ABPN

    @property
    def gauge(self) -> str:
        """Title of score ratios: "score / ABPN"."""
        return f"score / {self.yardstick}"

    @property
    def shown(self) -> tuple[ReportedNetwork, ...]:
        """Networks that plots draw individually: the front, fastest first, and the references."""
        return (*sorted(self.front, key=lambda n: n.result.scored_ms), *self.references)

    @property
    def timed_elsewhere(self) -> tuple[tuple[str, int], ...]:
        """Devices other than the study's, each with the number of networks timed on it."""
        devices = Counter(network.device for network in (*self.candidates, *self.references))
        return tuple((d, n) for d, n in devices.items() if d != self.settings.device)


def collect(study: Study) -> ReportContent:
    """Collects the contents for the present state of ``study``; a search may be running."""
    # The front is read first, so that all of its trials are among those read later.
    front_trials = {finding.trial: finding for finding in findings(study)}
    trials = study.optuna.get_trials(deepcopy=False)
    records = study.records_of(trials)
    yardstick, log2_unit = _yardstick(records, tuple(front_trials.values()))
    networks = {
        record.number: _network(record, record.result, log2_unit, study.settings.device)
        for record in records
        if record.result
    }
    candidates = tuple(network for network in networks.values() if not network.is_reference)
    front = tuple(networks[number] for number in front_trials)
    return ReportContent(
        name=study.name,
        settings=study.settings,
        budget=study.budget(),
        elapsed_seconds=study.elapsed_seconds(),
        yardstick=yardstick,
        lead=next((finding.lead for finding in front_trials.values()), None),
        candidates=candidates,
        references=tuple(network for network in networks.values() if network.is_reference),
        front=front,
        highlights=_highlights(candidates, front, study.settings),
        history=history_of(records, study.settings.references.bicubic_psnr_db, log2_unit),
        lines=tuple(
            _line(trial, record, networks.get(record.number), frozenset(front_trials))
            for trial, record in zip(trials, records, strict=True)
        ),
        trials=tuple(trials[network.trial] for network in candidates),
        command=SearchOptions.repeating(study).command,
    )


def _yardstick(records: list[TrialRecord], front: tuple[ParetoPoint, ...]) -> tuple[str, float]:
    """Returns the name of the yardstick and the binary logarithm of its score."""
    for record in records:
        if record.baseline == ABPN and record.result:
            return ABPN, record.result.log2_score
    return "the best", max((finding.result.log2_score for finding in front), default=0.0)


def _network(record: TrialRecord, result: Result, log2_unit: float, device: str) -> ReportedNetwork:
    return ReportedNetwork(
        record=record,
        result=result,
        ratio=score_ratio(result.log2_score, log2_unit),
        device=record.timed_on or device,
    )


def _highlights(
    candidates: tuple[ReportedNetwork, ...], front: tuple[ReportedNetwork, ...], settings: Settings
) -> tuple[Highlight, ...]:
    """Returns the best score, the fastest network well above bicubic, and the best PSNR."""
    if not front:
        return ()
    cap_ms = settings.max_latency_ms
    least_db = settings.references.bicubic_psnr_db + WORTHWHILE_GAIN_DB
    above_bicubic = [
        n for n in candidates if n.within_limit and n.result.expected.psnr_db >= least_db
    ]
    chosen = [Highlight("Best score", front[0])]
    if above_bicubic:
        fastest = min(above_bicubic, key=lambda network: network.result.scored_ms)
        chosen.append(Highlight(f"Fastest above bicubic + {WORTHWHILE_GAIN_DB:g} dB", fastest))
    best = max(front, key=lambda network: network.result.expected.psnr_db)
    chosen.append(Highlight(f"Best PSNR{f' under {cap_ms:g} ms' if cap_ms else ''}", best))
    return tuple(chosen)


def _line(
    trial: FrozenTrial, record: TrialRecord, network: ReportedNetwork | None, front: frozenset[int]
) -> TrialLine:
    remark = record.baseline or ("" if record.within_limit else record.reason)
    if network is None and not record.running and not record.waiting:
        remark = f"{record.outcome or 'interrupted'}: {record.reason}".removesuffix(": ")
    return TrialLine(
        number=record.number,
        status=_status(record, front),
        remark=remark,
        parameters=", ".join(
            f"{name} {_value_text(value)}" for name, value in trial.params.items()
        ),
        network=network,
    )


def _status(record: TrialRecord, front: frozenset[int]) -> TrialStatus:
    if record.number in front:
        return TrialStatus.FRONT
    if record.running:
        return TrialStatus.RUNNING
    if record.waiting:
        return TrialStatus.WAITING
    if not record.complete:
        return TrialStatus.REFUSED
    if record.baseline:
        return TrialStatus.REFERENCE
    return TrialStatus.TRAINED if record.within_limit else TrialStatus.OVER_LIMIT


def _value_text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
