"""Predicts the PSNR that a study's networks reach after a full training.

The package's regression model is adapted to the study's images by those networks of the study that
were trained in full. Their PSNR is stored in a file in the study's folder. Optuna's trials keep the
predictions that were current when they ran.
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
    """Predicts full-training PSNR for the networks of a study with these ``settings``."""

    settings: Settings
    #: Results of full trainings of the study's candidates.
    known: tuple[KnownPsnr, ...]

    def of(
        self, graph: Graph, macs: int, psnr_db: float, records: Sequence[TrialRecord]
    ) -> ExpectedPsnr:
        """Returns the expected PSNR of a network with ``psnr_db`` after the study's short training.

        ``graph`` is the trained graph; ``macs`` are those of the deployed graph at the study's
        input size; ``psnr_db`` is of the INT8 file. ``records`` are the study's trials: they supply
        the short trainings of the networks that are in ``known``.
        """
        return self._adapted_model(records).expected(self._short_training(graph, macs, psnr_db))

    def missing_db(self, networks: Sequence[tuple[Graph, int, float]]) -> list[float]:
        """Returns the PSNR in dB that a full training is expected to add to each network.

        ``networks`` are triples of trained graph, MACs and PSNR as in ``of``. The model is not
        adapted to the study's images.
        """
        from ..quality_model.full_training_model import shipped_model

        rows = [self._short_training(*network) for network in networks]
        return [float(db) for db in shipped_model(self.settings.scale).missing_db(rows)]

    def applied_to(self, records: Sequence[TrialRecord]) -> list[TrialRecord]:
        """Returns ``records`` with current predictions; unchanged if no full training is known."""
        if not self.known:
            return list(records)
        model = self._adapted_model(records)
        return [
            record
            if record.result is None
            else record.expecting(model.expected(self._short_training_of(record, record.result)))
            for record in records
        ]

    def _adapted_model(self, records: Sequence[TrialRecord]) -> QualityModel:
        """Returns the package's model adapted to the study's images by its full trainings."""
        from ..quality_model.full_training_model import shipped_model

        psnr_db = {known.candidate: known.psnr_db for known in self.known}
        rows = [
            FullTraining(self._short_training_of(record, record.result), psnr_db[record.candidate])
            for record in records
            if record.result is not None and record.candidate in psnr_db
        ]
        return shipped_model(self.settings.scale).adapted(rows)

    def _short_training_of(self, record: TrialRecord, result: Result) -> ShortTraining:
        return self._short_training(record.network.graph, result.macs, result.psnr_db)

    def _short_training(self, graph: Graph, macs: int, psnr_db: float) -> ShortTraining:
        bicubic_db = self.settings.references.bicubic_psnr_db
        return ShortTraining.of(
            graph, macs / self._input_pixels, self.settings.steps, psnr_db, bicubic_db
        )

    @cached_property
    def _input_pixels(self) -> int:
        spec = InputSpec.parse(self.settings.input)
        return spec.height * spec.width


def read_known(file: Path) -> tuple[KnownPsnr, ...]:
    """Reads the full trainings in ``file``; none if it does not exist.

    Raises NasError if it is damaged.
    """
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
    """Adds a result to ``file`` and replaces an earlier one of the same candidate."""
    rows = {row.candidate: row for row in read_known(file)} | {known.candidate: known}
    write_json(file, [vars(row) for row in rows.values()])
