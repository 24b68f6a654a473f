"""Trials read from a database by plain rows: most of a read's time goes into SQLAlchemy's objects.

A worker reads the trials in hand several times in each of its own.
"""

from __future__ import annotations

from collections.abc import Container
from types import SimpleNamespace
from typing import Any

from optuna.storages import RDBStorage
from optuna.storages._rdb import models
from optuna.storages._rdb.storage import _create_scoped_session
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

_TRIALS: Any = models.TrialModel.__table__
#: What belongs to a trial, by the name that Optuna's model of a trial has for it.
_PARTS: dict[str, Any] = {
    "params": models.TrialParamModel.__table__,
    "values": models.TrialValueModel.__table__,
    "user_attributes": models.TrialUserAttributeModel.__table__,
    "system_attributes": models.TrialSystemAttributeModel.__table__,
    "intermediate_values": models.TrialIntermediateValueModel.__table__,
}
#: Databases limit how many parameters a statement may have.
_MOST_TRIALS_AT_ONCE = 500


class RowReadingStorage(RDBStorage):
    """Optuna's storage, which reads the same trials by rows."""

    def get_trial(self, trial_id: int) -> FrozenTrial:
        with _create_scoped_session(self.scoped_session) as session:
            trials = self._read(session, _TRIALS.c.trial_id == trial_id)
        if not trials:
            raise KeyError(models.NOT_FOUND_MSG)
        return trials[0]

    def _get_trials(
        self,
        study_id: int,
        states: Container[TrialState] | None,
        included_trial_ids: set[int],
        trial_id_greater_than: int,
    ) -> list[FrozenTrial]:
        wanted = _TRIALS.c.trial_id > trial_id_greater_than
        if included_trial_ids:
            wanted = or_(wanted, _TRIALS.c.trial_id.in_(included_trial_ids))
        with _create_scoped_session(self.scoped_session) as session:
            trials = self._read(session, _TRIALS.c.study_id == study_id, wanted)
            if not trials:
                models.StudyModel.find_or_raise_by_id(study_id, session)
        return [trial for trial in trials if states is None or trial.state in states]

    def _read(self, session: Session, *conditions: ColumnElement[bool]) -> list[FrozenTrial]:
        """In the order in which they were made."""
        statement = select(_TRIALS).where(*conditions).order_by(_TRIALS.c.trial_id)
        found = {
            row.trial_id: SimpleNamespace(**row._mapping, **{name: [] for name in _PARTS})
            for row in session.execute(statement)
        }
        ids = list(found)
        for first in range(0, len(ids), _MOST_TRIALS_AT_ONCE):
            some = ids[first : first + _MOST_TRIALS_AT_ONCE]
            for name, table in _PARTS.items():
                for row in session.execute(select(table).where(table.c.trial_id.in_(some))):
                    getattr(found[row.trial_id], name).append(row)
        # All that it asks of a model is fields, and rows have the same.
        build: Any = self._build_frozen_trial_from_trial_model
        return [build(trial) for trial in found.values()]
