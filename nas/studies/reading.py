"""A study read from a database by plain rows: most of a read's time goes into SQLAlchemy's objects.

A worker reads the trials in hand several times in each of its own.
"""

from __future__ import annotations

import json
from collections.abc import Container
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from optuna.storages import RDBStorage
from optuna.storages._rdb import models
from optuna.storages._rdb.storage import _create_scoped_session
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Select, bindparam, func, or_, select
from sqlalchemy.orm import Session

from .heartbeat import GRACE_SECONDS

_TRIALS: Any = models.TrialModel.__table__
_STUDY_ATTRIBUTES: Any = models.StudyUserAttributeModel.__table__
_HEARTBEATS: Any = models.TrialHeartbeatModel.__table__
#: Statements made once: to make one takes as long as to execute it.
_ONE = select(_TRIALS).where(_TRIALS.c.trial_id == bindparam("trial_id"))
_LATER = (
    select(_TRIALS)
    .where(
        _TRIALS.c.study_id == bindparam("study_id"),
        or_(
            _TRIALS.c.trial_id > bindparam("later_than"),
            _TRIALS.c.trial_id.in_(bindparam("beside", expanding=True)),
        ),
    )
    .order_by(_TRIALS.c.trial_id)
)
_BEATS = select(_HEARTBEATS.c.trial_id, _HEARTBEATS.c.heartbeat, func.now()).where(
    _HEARTBEATS.c.trial_id == _TRIALS.c.trial_id,
    _TRIALS.c.study_id == bindparam("study_id"),
    _TRIALS.c.state == TrialState.RUNNING,
)
_ATTRIBUTES = select(_STUDY_ATTRIBUTES).where(_STUDY_ATTRIBUTES.c.study_id == bindparam("study_id"))


def _of_trials(model: Any) -> Select[Any]:
    table = model.__table__
    return select(table).where(table.c.trial_id.in_(bindparam("trial_ids", expanding=True)))


#: What belongs to trials, by the name that Optuna's model of a trial has for it.
_PARTS = {
    "params": _of_trials(models.TrialParamModel),
    "values": _of_trials(models.TrialValueModel),
    "user_attributes": _of_trials(models.TrialUserAttributeModel),
    "system_attributes": _of_trials(models.TrialSystemAttributeModel),
    "intermediate_values": _of_trials(models.TrialIntermediateValueModel),
}
#: Databases limit how many parameters a statement may have.
_MOST_TRIALS_AT_ONCE = 500


class RowReadingStorage(RDBStorage):
    """Optuna's storage, which reads the same by rows."""

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        with _create_scoped_session(self.scoped_session) as session:
            rows = session.execute(_ATTRIBUTES, {"study_id": study_id}).all()
            if not rows:
                models.StudyModel.find_or_raise_by_id(study_id, session)
        return {row.key: json.loads(row.value_json) for row in rows}

    def get_trial(self, trial_id: int) -> FrozenTrial:
        with _create_scoped_session(self.scoped_session) as session:
            trials = self._read(session, _ONE, trial_id=trial_id)
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
        wanted = {"later_than": trial_id_greater_than, "beside": list(included_trial_ids)}
        with _create_scoped_session(self.scoped_session) as session:
            trials = self._read(session, _LATER, study_id=study_id, **wanted)
            if not trials:
                models.StudyModel.find_or_raise_by_id(study_id, session)
        return [trial for trial in trials if states is None or trial.state in states]

    def _get_stale_trial_ids(self, study_id: int) -> list[int]:
        with _create_scoped_session(self.scoped_session) as session:
            rows = session.execute(_BEATS, {"study_id": study_id}).all()
        longest = timedelta(seconds=GRACE_SECONDS)
        # Of PostgreSQL, the one has a time zone and the other has none.
        return [row[0] for row in rows if row[2].replace(tzinfo=None) - row[1] > longest]

    def _read(
        self, session: Session, statement: Select[Any], **parameters: Any
    ) -> list[FrozenTrial]:
        found = {
            row.trial_id: SimpleNamespace(**row._mapping, **{name: [] for name in _PARTS})
            for row in session.execute(statement, parameters)
        }
        ids = list(found)
        for first in range(0, len(ids), _MOST_TRIALS_AT_ONCE):
            some = {"trial_ids": ids[first : first + _MOST_TRIALS_AT_ONCE]}
            for name, of_trials in _PARTS.items():
                for row in session.execute(of_trials, some):
                    getattr(found[row.trial_id], name).append(row)
        # All that it asks of a model is fields, and rows have the same.
        build: Any = self._build_frozen_trial_from_trial_model
        return [build(trial) for trial in found.values()]
