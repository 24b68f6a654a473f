"""Collects a worker's writes to its trial and commits them in one transaction.

To commit a transaction takes longer than to write its rows.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    check_distribution_compatibility,
    distribution_to_json,
)
from optuna.storages import BaseStorage, RDBStorage
from optuna.storages._cached_storage import _CachedStorage
from optuna.storages._rdb import models
from optuna.storages._rdb.storage import _create_scoped_session
from sqlalchemy import bindparam, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from ..system.files import json_text
from .heartbeat import HeartbeatStorage
from .persistence import Operation, wrap_operations
from .place import DatabaseError

# SQLAlchemy's ORM objects and the construction of statements would take most of a small write's
# time. So this module uses plain tables and constructs each statement once.
_TRIALS: Any = models.TrialModel.__table__
_PARAMETERS: Any = models.TrialParamModel.__table__
_ATTRIBUTES: Any = models.TrialUserAttributeModel.__table__
_SELECT_STATE = select(_TRIALS.c.state).where(_TRIALS.c.trial_id == bindparam("trial_id"))


def _attribute_upsert(insert_into: Any) -> Any:
    """Returns a statement that inserts trial attributes and replaces existing ones.

    ``insert_into`` is the ``insert`` function of the database's SQLAlchemy dialect.
    """
    statement = insert_into(_ATTRIBUTES)
    return statement.on_conflict_do_update(
        index_elements=[_ATTRIBUTES.c.trial_id, _ATTRIBUTES.c.key],
        set_={"value_json": statement.excluded.value_json},
    )


#: Upsert statement by SQLAlchemy's name of the database, for those that support one.
_UPSERT_OF_DATABASE = {
    "sqlite": _attribute_upsert(sqlite.insert),
    "postgresql": _attribute_upsert(postgresql.insert),
}
#: Names of the storage operations whose writes may be deferred.
_DEFERRED_OPERATIONS = ("set_trial_param", "set_trial_user_attr")


@dataclass
class _PendingWrites:
    """Deferred writes of one trial: parameters and user attributes by name.

    A parameter's value is in Optuna's internal representation.
    """

    trial_id: int
    parameters: dict[str, tuple[float, BaseDistribution]] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)


def _write_pending_first(operation: Operation) -> Operation:
    """Returns ``operation`` preceded by the pending writes, unless it may be deferred itself."""
    if operation.__name__ in _DEFERRED_OPERATIONS:
        return operation

    @functools.wraps(operation)
    def call(storage: GatheringStorage, *args: Any, **kwargs: Any) -> Any:
        storage.write_gathered()
        return operation(storage, *args, **kwargs)

    return call


class GatheringStorage(_CachedStorage, HeartbeatStorage):
    """Optuna's cached storage, which defers and combines a trial's writes within ``gathering``.

    Optuna requires that a trial's writes are stored before its state is. Here a thread's deferred
    writes are stored before the thread's next operation of any other kind.
    """

    def __init__(self, backend: RDBStorage) -> None:
        super().__init__(backend)
        self._thread_state = threading.local()

    @contextlib.contextmanager
    def gathering(self, trial_id: int) -> Iterator[None]:
        """Defers this thread's writes to the trial until its next other operation or the end."""
        if self._backend.engine.name in _UPSERT_OF_DATABASE:
            self._thread_state.writes = _PendingWrites(trial_id)
        try:
            yield
        finally:
            try:
                self.write_gathered()
            finally:
                self._thread_state.writes = None

    def write_gathered(self) -> None:
        """Stores this thread's pending writes; keeps them pending if that fails."""
        writes: _PendingWrites | None = getattr(self._thread_state, "writes", None)
        if writes is not None and (writes.parameters or writes.attributes):
            _write_in_one_transaction(self._backend, writes)
            self._thread_state.writes = _PendingWrites(writes.trial_id)

    def set_trial_param(
        self,
        trial_id: int,
        param_name: str,
        param_value_internal: float,
        distribution: BaseDistribution,
    ) -> None:
        writes = self._pending_writes(trial_id)
        known = self._known_distribution(trial_id, param_name)
        if writes is None or known is None:  # then Optuna checks the distribution in the database
            self.write_gathered()  # first, to keep the order of the parameters
            super().set_trial_param(trial_id, param_name, param_value_internal, distribution)
            return
        check_distribution_compatibility(known, distribution)
        writes.parameters[param_name] = param_value_internal, distribution

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        writes = self._pending_writes(trial_id)
        if writes is not None:
            writes.attributes[key] = value
        elif self._backend.engine.name in _UPSERT_OF_DATABASE:
            _write_in_one_transaction(
                self._backend, _PendingWrites(trial_id, attributes={key: value})
            )
        else:
            super().set_trial_user_attr(trial_id, key, value)

    def record_first_heartbeat(self, trial_id: int) -> None:
        super().record_heartbeat(trial_id)

    def record_heartbeat(self, trial_id: int) -> None:
        with contextlib.suppress(DatabaseError):
            super().record_heartbeat(trial_id)

    def _known_distribution(self, trial_id: int, name: str) -> BaseDistribution | None:
        """Returns the parameter's distribution in any trial that this process has run or read.

        None if no such trial has the parameter.
        """
        with self._lock:
            study_id, _ = self._trial_id_to_study_id_and_number[trial_id]
            study = self._studies[study_id]
            if name not in study.param_distribution:
                candidates = (trial.distributions.get(name) for trial in study.trials.values())
                known = next(filter(None, candidates), None)
                if known is None:
                    return None
                study.param_distribution[name] = known
            return study.param_distribution[name]

    def _pending_writes(self, trial_id: int) -> _PendingWrites | None:
        """Returns the trial's pending writes; None if its writes are not deferred."""
        writes: _PendingWrites | None = getattr(self._thread_state, "writes", None)
        return writes if writes is not None and writes.trial_id == trial_id else None


def writing_together(storage: BaseStorage, trial_id: int) -> AbstractContextManager[None]:
    """Defers writes as ``GatheringStorage.gathering`` does, if ``storage`` supports it.

    A storage proxy does not: it sends each write separately.
    """
    if isinstance(storage, GatheringStorage):
        return storage.gathering(trial_id)
    return contextlib.nullcontext()


wrap_operations(GatheringStorage, _write_pending_first)


def _write_in_one_transaction(database: RDBStorage, writes: _PendingWrites) -> None:
    """Stores ``writes`` in one transaction.

    Raises UpdateFinishedTrialError if the trial has ended.
    """
    # True ignores the error of duplicate rows: an earlier attempt has committed all of them, and
    # the server became unreachable before it replied.
    with _create_scoped_session(database.scoped_session, True) as session:
        state = session.execute(_SELECT_STATE, {"trial_id": writes.trial_id}).scalar()
        if state is None:
            raise KeyError(models.NOT_FOUND_MSG)
        database.check_trial_is_updatable(writes.trial_id, state)
        if writes.parameters:
            rows = [
                {
                    "trial_id": writes.trial_id,
                    "param_name": name,
                    "param_value": value,
                    "distribution_json": distribution_to_json(distribution),
                }
                for name, (value, distribution) in writes.parameters.items()
            ]
            session.execute(insert(_PARAMETERS), rows)
        if writes.attributes:
            values = [
                {"trial_id": writes.trial_id, "key": name, "value_json": json_text(value)}
                for name, value in writes.attributes.items()
            ]
            session.execute(_UPSERT_OF_DATABASE[database.engine.name], values)
