"""Reads a study from a database as plain rows instead of SQLAlchemy's ORM objects.

To create the objects would take most of a read's time, and a worker reads the running trials
several times during each of its own.
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

_TRIALS: Any = models.TrialModel.__table__
_STUDY_ATTRIBUTES: Any = models.StudyUserAttributeModel.__table__
_HEARTBEATS: Any = models.TrialHeartbeatModel.__table__
# Statements are constructed once: to construct one takes as long as to execute it.
_SELECT_TRIAL = select(_TRIALS).where(_TRIALS.c.trial_id == bindparam("trial_id"))
_SELECT_NEW_TRIALS = (
    select(_TRIALS)
    .where(
        _TRIALS.c.study_id == bindparam("study_id"),
        or_(
            _TRIALS.c.trial_id > bindparam("trial_id_greater_than"),
            _TRIALS.c.trial_id.in_(bindparam("included_trial_ids", expanding=True)),
        ),
    )
    .order_by(_TRIALS.c.trial_id)
)
_SELECT_HEARTBEATS = select(_HEARTBEATS.c.trial_id, _HEARTBEATS.c.heartbeat, func.now()).where(
    _HEARTBEATS.c.trial_id == _TRIALS.c.trial_id,
    _TRIALS.c.study_id == bindparam("study_id"),
    _TRIALS.c.state == TrialState.RUNNING,
)
_SELECT_STUDY_ATTRIBUTES = select(_STUDY_ATTRIBUTES).where(
    _STUDY_ATTRIBUTES.c.study_id == bindparam("study_id")
)


def _select_of_trials(model: Any) -> Select[Any]:
    """Returns a statement for the rows of ``model``'s table that belong to given trials."""
    table = model.__table__
    return select(table).where(table.c.trial_id.in_(bindparam("trial_ids", expanding=True)))


#: Statements for the rows that belong to trials, by their attribute of Optuna's TrialModel.
_SELECT_TRIAL_PARTS = {
    "params": _select_of_trials(models.TrialParamModel),
    "values": _select_of_trials(models.TrialValueModel),
    "user_attributes": _select_of_trials(models.TrialUserAttributeModel),
    "system_attributes": _select_of_trials(models.TrialSystemAttributeModel),
    "intermediate_values": _select_of_trials(models.TrialIntermediateValueModel),
}
#: Databases limit the number of a statement's parameters; each trial id is one.
_MAX_TRIALS_PER_STATEMENT = 500


class RowReadingStorage(RDBStorage):
    """Optuna's storage with faster reads, which return the same values."""

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        with _create_scoped_session(self.scoped_session) as session:
            rows = session.execute(_SELECT_STUDY_ATTRIBUTES, {"study_id": study_id}).all()
            if not rows:
                models.StudyModel.find_or_raise_by_id(study_id, session)
        return {row.key: json.loads(row.value_json) for row in rows}

    def get_trial(self, trial_id: int) -> FrozenTrial:
        with _create_scoped_session(self.scoped_session) as session:
            trials = self._read_trials(session, _SELECT_TRIAL, trial_id=trial_id)
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
        wanted = {
            "trial_id_greater_than": trial_id_greater_than,
            "included_trial_ids": list(included_trial_ids),
        }
        with _create_scoped_session(self.scoped_session) as session:
            trials = self._read_trials(session, _SELECT_NEW_TRIALS, study_id=study_id, **wanted)
            if not trials:
                models.StudyModel.find_or_raise_by_id(study_id, session)
        return [trial for trial in trials if states is None or trial.state in states]

    def _get_stale_trial_ids(self, study_id: int) -> list[int]:
        with _create_scoped_session(self.scoped_session) as session:
            rows = session.execute(_SELECT_HEARTBEATS, {"study_id": study_id}).all()
        assert self.heartbeat_interval is not None
        grace_period = timedelta(seconds=self.grace_period or 2 * self.heartbeat_interval)
        # In PostgreSQL ``now`` has a time zone, and the stored heartbeat has none.
        return [row[0] for row in rows if row[2].replace(tzinfo=None) - row[1] > grace_period]

    def _read_trials(
        self, session: Session, statement: Select[Any], **parameters: Any
    ) -> list[FrozenTrial]:
        found = {
            row.trial_id: SimpleNamespace(
                **row._mapping, **{name: [] for name in _SELECT_TRIAL_PARTS}
            )
            for row in session.execute(statement, parameters)
        }
        ids = list(found)
        for start in range(0, len(ids), _MAX_TRIALS_PER_STATEMENT):
            id_parameters = {"trial_ids": ids[start : start + _MAX_TRIALS_PER_STATEMENT]}
            for name, of_trials in _SELECT_TRIAL_PARTS.items():
                for row in session.execute(of_trials, id_parameters):
                    getattr(found[row.trial_id], name).append(row)
        # Optuna's function only reads attributes of its argument, which rows have as well.
        build: Any = self._build_frozen_trial_from_trial_model
        return [build(trial) for trial in found.values()]
