"""Heartbeats of workers that are no more."""

from __future__ import annotations

from datetime import timedelta

from optuna.storages import RDBStorage
from optuna.storages._rdb.models import TrialHeartbeatModel
from sqlalchemy.orm import Session


def beat(storage: RDBStorage, trial_id: int, seconds_ago: int) -> None:
    """The trial's last heartbeat was that long ago by the database's clock."""
    storage.record_heartbeat(trial_id)
    with Session(storage.engine) as session:
        row = session.query(TrialHeartbeatModel).filter_by(trial_id=trial_id).one()
        row.heartbeat -= timedelta(seconds=seconds_ago)
        session.commit()
