"""Heartbeats of workers that are no more."""

from __future__ import annotations

from datetime import timedelta

from optuna.storages import BaseStorage, RDBStorage
from optuna.storages._cached_storage import _CachedStorage
from optuna.storages._rdb.models import TrialHeartbeatModel
from sqlalchemy.orm import Session


def backend(storage: BaseStorage) -> RDBStorage:
    """The database behind ``storage``, which is no proxy's."""
    assert isinstance(storage, _CachedStorage)
    return storage._backend


def beat(storage: RDBStorage, trial_id: int, seconds_ago: int) -> None:
    """The trial's last heartbeat was that long ago by the database's clock."""
    storage.record_heartbeat(trial_id)
    age(storage, trial_id, seconds_ago)


def age(storage: RDBStorage, trial_id: int, seconds: int) -> None:
    """The trial's last heartbeat, which there is, was so much earlier."""
    with Session(storage.engine) as session:
        row = session.query(TrialHeartbeatModel).filter_by(trial_id=trial_id).one()
        row.heartbeat -= timedelta(seconds=seconds)
        session.commit()
