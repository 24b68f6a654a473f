"""What a study expects of its networks after a full training.

By the model that comes with the package, brought to the study's images by those of its networks
that were trained in full: a file in the study's folder. Optuna's trials keep what their proposals
were judged by.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from search_spaces import Graph, InputSpec, NasError

from ..quality_model.expectation import ExpectedPsnr, FullTraining, ShortTraining
from ..system.files import write_json
from .record import Result, TrialRecord
from .settings import Settings

if TYPE_CHECKING:
    from ..quality_model.full_training_model import QualityModel


@dataclass(frozen=True)
class KnownPsnr:
    """INT8 PSNR in dB of a candidate of the study after a full training, on the study's images."""

    candidate: str
    psnr_db: float


@dataclass(frozen=True)
class Expectations:
    """Of the networks of a study with these ``settings``."""

    settings: Settings
    known: tuple[KnownPsnr, ...]

    def of(
        self, graph: Graph, macs: int, psnr_db: float, records: Sequence[TrialRecord]
    ) -> ExpectedPsnr:
        """What is expected of a network with so much INT8 PSNR after the study's steps.

        ``graph`` is the trained one, MACs are the deployed one's at the study's input; ``records``
        are the study's, with the short trainings of what is known of full ones.
        """
        return self._model(records).expected(self._short(graph, macs, psnr_db))

    def missing_db(self, networks: Sequence[tuple[Graph, int, float]]) -> list[float]:
        """What a full training is expected to add, on any images.

        Of many networks: trained graph, MACs and PSNR, as ``of`` takes them.
        """
        from ..quality_model.full_training_model import shipped_model

        rows = [self._short(*network) for network in networks]
        return [float(db) for db in shipped_model(self.settings.scale).missing_db(rows)]

    def applied_to(self, records: Sequence[TrialRecord]) -> list[TrialRecord]:
        """``records`` with what is expected by now; as they are, if nothing was learned since."""
        if not self.known:
            return list(records)
        model = self._model(records)
        return [
            record
            if record.result is None
            else record.expecting(model.expected(self._short_of(record, record.result)))
            for record in records
        ]

    def _model(self, records: Sequence[TrialRecord]) -> QualityModel:
        from ..quality_model.full_training_model import shipped_model

        psnr_db = {known.candidate: known.psnr_db for known in self.known}
        rows = [
            FullTraining(self._short_of(record, record.result), psnr_db[record.candidate])
            for record in records
            if record.result is not None and record.candidate in psnr_db
        ]
        return shipped_model(self.settings.scale).adapted(rows)

    def _short_of(self, record: TrialRecord, result: Result) -> ShortTraining:
        return self._short(record.network.graph, result.macs, result.psnr_db)

    def _short(self, graph: Graph, macs: int, psnr_db: float) -> ShortTraining:
        bicubic_db = self.settings.references.bicubic_psnr_db
        return ShortTraining.of(
            graph, macs / self._pixels, self.settings.steps, psnr_db, bicubic_db
        )

    @cached_property
    def _pixels(self) -> int:
        spec = InputSpec.parse(self.settings.input)
        return spec.height * spec.width


def read_known(file: Path) -> tuple[KnownPsnr, ...]:
    """What ``file`` holds, nothing if it is not there; NasError if it is damaged."""
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))
        return tuple(KnownPsnr(str(row["candidate"]), float(row["psnr_db"])) for row in rows)
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NasError(
            f"{file}: the full trainings cannot be read ({error!r}); restore the file, or delete "
            "it: expectations are then those of the package"
        ) from None


def add_known(file: Path, known: KnownPsnr) -> None:
    """Writes down one more, in place of what was known of that candidate."""
    rows = {row.candidate: row for row in read_known(file)} | {known.candidate: known}
    write_json(file, [vars(row) for row in rows.values()])
