"""The Pareto front of a study, and its folder ``pareto`` with an INT8 file and a card per point."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latency_models.tflite.requests import read_tflite, weight_granularity
from search_spaces import Candidate

from ..system.files import write_json, write_text, write_whole
from .cards import card_of_trial
from .folder import MODEL
from .lead import Lead
from .models import bring_model
from .options import SearchOptions
from .record import Result, TrialRecord, pareto_front, reference_result
from .study import Study


@dataclass(frozen=True)
class ParetoPoint:
    """A point of the Pareto front, ranked by challenge score."""

    rank: int
    trial: int
    candidate: str
    network: Candidate
    result: Result
    #: Score compared with ABPN's in the same study; None if ABPN was left out.
    lead: Lead | None
    #: Device of its latency.
    device: str
    #: The INT8 model file, on the machine that trained it.
    path: Path
    #: Names of the study's reference networks that dominate it: better in expected PSNR or in
    #: time, and no worse in the other.
    beaten_by: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """Name of its INT8 file in the folder ``pareto``."""
        return f"rank{self.rank:02d}-trial{self.trial:04d}.tflite"

    @property
    def ratio_to_abpn(self) -> float | None:
        """Ratio of its challenge score to ABPN's in the same study; None if ABPN was left out."""
        return None if self.lead is None else self.lead.counted

    @property
    def score(self) -> float:
        """Challenge score 2^(2 PSNR) / (C ms), with the PSNR expected on the study's images."""
        return 2**self.result.log2_score

    def row(self) -> dict[str, Any]:
        """Returns its row of ``pareto.csv``, by column name."""
        result, latency, lead = self.result, self.result.latency, self.lead
        return {
            "rank": self.rank,
            "trial": self.trial,
            "file": self.file,
            **result.quality.to_json(),
            "expected_psnr_db": result.expected.psnr_db,
            "expected_low_db": result.expected.low_db,
            "expected_high_db": result.expected.high_db,
            "runtime_ms": latency.ms,
            "scored_ms": result.scored_ms,
            "score": self.score,
            "score_to_abpn": self.ratio_to_abpn,
            "score_to_abpn_predicted": None if lead is None else lead.predicted,
            "score_to_abpn_mean": None if lead is None else lead.mean,
            "score_to_abpn_least": None if lead is None else lead.least,
            "score_to_abpn_most": None if lead is None else lead.most,
            "beaten_by": " ".join(self.beaten_by),
            "low_ms": latency.low_ms,
            "high_ms": latency.high_ms,
            "latency_source": latency.source,
            "device": self.device,
            "parameters": result.parameters,
            "macs": result.macs,
            "tflite_kb": result.tflite_kb,
        }


def findings(study: Study) -> tuple[ParetoPoint, ...]:
    """Returns the study's Pareto front, best score first."""
    return _ranked_front(study, study.records())


def _ranked_front(study: Study, records: list[TrialRecord]) -> tuple[ParetoPoint, ...]:
    abpn = reference_result(records, "ABPN")
    front = [(record, record.result) for record in pareto_front(records) if record.result]
    ranked = sorted(front, key=lambda pair: pair[1].log2_score, reverse=True)
    return tuple(
        ParetoPoint(
            rank=index + 1,
            trial=record.number,
            candidate=record.candidate or "",
            network=record.network,
            result=result,
            lead=None if abpn is None else Lead.of(result, abpn),
            device=record.timed_on or study.settings.device,
            path=study.folder.tflite(record.candidate or ""),
            beaten_by=tuple(
                reference.baseline
                for reference in records
                if reference.baseline and reference.result and _dominates(reference.result, result)
            ),
        )
        for index, (record, result) in enumerate(ranked)
    )


def nothing_found(study: Study) -> str:
    """Returns a message that says why ``findings`` is empty."""
    trained = len(study.trained())
    if not trained:
        return f"study {study.name}: no trained trial yet"
    limit = f"{study.settings.max_latency_ms:g} ms"
    return f"study {study.name}: none of its {trained} trained networks is within {limit}"


def write_pareto(study: Study) -> tuple[ParetoPoint, ...]:
    """Updates the folder ``pareto`` and returns the study's Pareto front.

    A model file that only another machine has is missing in the folder; its point is still returned
    and listed in the tables.
    """
    records = study.records()
    found, by_number = _ranked_front(study, records), {record.number: record for record in records}
    command = SearchOptions.repeating(study).command
    study.folder.create()
    folder = study.folder.pareto
    folder.mkdir(exist_ok=True)
    wanted = {"pareto.csv", "pareto.json"}
    for finding in found:
        source = bring_model(study, by_number[finding.trial]) / MODEL
        if not source.exists():
            continue
        tflite = source.read_bytes()
        write_whole(folder / finding.file, tflite)
        granularity = weight_granularity(read_tflite(tflite))
        card = card_of_trial(
            study.name, study.settings, by_number[finding.trial], granularity, command
        )
        write_json((folder / finding.file).with_suffix(".json"), card.to_json())
        wanted |= {finding.file, Path(finding.file).with_suffix(".json").name}
    rows = [finding.row() for finding in found]
    write_json(folder / "pareto.json", rows)
    write_text(folder / "pareto.csv", _csv(rows))
    for path in folder.iterdir():
        if path.name not in wanted and path.suffix in {".tflite", ".json"}:
            path.unlink()
    return found


def _dominates(one: Result, other: Result) -> bool:
    """Returns whether ``one`` is better in expected PSNR or time, and no worse in the other."""
    gain_db = one.expected.psnr_db - other.expected.psnr_db
    saved_ms = other.scored_ms - one.scored_ms
    return min(gain_db, saved_ms) >= 0 and max(gain_db, saved_ms) > 0


def _csv(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return ""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
