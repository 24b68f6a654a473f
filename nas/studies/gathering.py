"""What a worker writes to its trial, written at once: a transaction takes longer than its rows."""

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
from .persistence import Operation, around_operations
from .place import DatabaseError

#: Plain tables, and statements made once: most of a small write's time goes into making both.
_TRIALS: Any = models.TrialModel.__table__
_PARAMETERS: Any = models.TrialParamModel.__table__
_ATTRIBUTES: Any = models.TrialUserAttributeModel.__table__
_STATE = select(_TRIALS.c.state).where(_TRIALS.c.trial_id == bindparam("trial_id"))


def _upsert(insertion: Any) -> Any:
    """Of attributes: it replaces what is there."""
    statement = insertion(_ATTRIBUTES)
    return statement.on_conflict_do_update(
        index_elements=[_ATTRIBUTES.c.trial_id, _ATTRIBUTES.c.key],
        set_={"value_json": statement.excluded.value_json},
    )


#: Of the databases that know one.
_UPSERTS = {"sqlite": _upsert(sqlite.insert), "postgresql": _upsert(postgresql.insert)}
#: Operations whose writes may wait.
_GATHERED = ("set_trial_param", "set_trial_user_attr")


@dataclass
class _Writes:
    """Of one trial: parameters, in Optuna's inner form, and attributes by name."""

    trial_id: int
    parameters: dict[str, tuple[float, BaseDistribution]] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)


def _after_writing(operation: Operation) -> Operation:
    if operation.__name__ in _GATHERED:
        return operation

    @functools.wraps(operation)
    def call(storage: GatheringStorage, *args: Any, **kwargs: Any) -> Any:
        storage.write_gathered()
        return operation(storage, *args, **kwargs)

    return call


class GatheringStorage(_CachedStorage, HeartbeatStorage):
    """Optuna's storage in front of a database; within ``gathering`` it writes less often.

    Optuna asks of it that what is written to a trial is there once the trial's state is written.
    Here it is there before a thread that has written does anything else with the storage.
    """

    def __init__(self, backend: RDBStorage) -> None:
        super().__init__(backend)
        self._threads = threading.local()

    @contextlib.contextmanager
    def gathering(self, trial_id: int) -> Iterator[None]:
        """Within, and in this thread, writes to that trial wait for each other."""
        if self._backend.engine.name in _UPSERTS:
            self._threads.writes = _Writes(trial_id)
        try:
            yield
        finally:
            try:
                self.write_gathered()
            finally:
                self._threads.writes = None

    def write_gathered(self) -> None:
        """Now; what could not be written is kept."""
        writes: _Writes | None = getattr(self._threads, "writes", None)
        if writes is not None and (writes.parameters or writes.attributes):
            _write(self._backend, writes)
            self._threads.writes = _Writes(writes.trial_id)

    def set_trial_param(
        self,
        trial_id: int,
        param_name: str,
        param_value_internal: float,
        distribution: BaseDistribution,
    ) -> None:
        writes, known = self._gathered(trial_id), self._known_distribution(trial_id, param_name)
        if writes is None or known is None:  # the database may know what it was chosen from before
            self.write_gathered()  # parameters keep their order
            super().set_trial_param(trial_id, param_name, param_value_internal, distribution)
            return
        check_distribution_compatibility(known, distribution)
        writes.parameters[param_name] = param_value_internal, distribution

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        writes = self._gathered(trial_id)
        if writes is not None:
            writes.attributes[key] = value
        elif self._backend.engine.name in _UPSERTS:
            _write(self._backend, _Writes(trial_id, attributes={key: value}))
        else:
            super().set_trial_user_attr(trial_id, key, value)

    def record_first_heartbeat(self, trial_id: int) -> None:
        super().record_heartbeat(trial_id)

    def record_heartbeat(self, trial_id: int) -> None:
        with contextlib.suppress(DatabaseError):
            super().record_heartbeat(trial_id)

    def _known_distribution(self, trial_id: int, name: str) -> BaseDistribution | None:
        """What the parameter was chosen from in a trial that this process has run or read."""
        with self._lock:
            study_id, _ = self._trial_id_to_study_id_and_number[trial_id]
            study = self._studies[study_id]
            if name not in study.param_distribution:
                read = (trial.distributions.get(name) for trial in study.trials.values())
                known = next(filter(None, read), None)
                if known is None:
                    return None
                study.param_distribution[name] = known
            return study.param_distribution[name]

    def _gathered(self, trial_id: int) -> _Writes | None:
        """What waits of that trial; None if its writes do not wait."""
        writes: _Writes | None = getattr(self._threads, "writes", None)
        return writes if writes is not None and writes.trial_id == trial_id else None


def writing_together(storage: BaseStorage, trial_id: int) -> AbstractContextManager[None]:
    """As ``gathering`` says, where ``storage`` can; a proxy writes each by itself."""
    if isinstance(storage, GatheringStorage):
        return storage.gathering(trial_id)
    return contextlib.nullcontext()


around_operations(GatheringStorage, _after_writing)


def _write(database: RDBStorage, writes: _Writes) -> None:
    """In one transaction; UpdateFinishedTrialError if the trial is over."""
    # What is there already: it was committed, and the server went before it said so.
    with _create_scoped_session(database.scoped_session, True) as session:
        state = session.execute(_STATE, {"trial_id": writes.trial_id}).scalar()
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
            session.execute(_UPSERTS[database.engine.name], values)
