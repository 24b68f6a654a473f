"""Retries storage operations while a database server or storage proxy is unreachable."""

from __future__ import annotations

import functools
import logging
import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage

from .heartbeat import HeartbeatStorage
from .place import DatabaseError, UnreachableError

#: Operations are retried for this time; a longer outage will hardly end by itself.
MAX_RETRY_SECONDS = 300.0
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.2, 5.0
_LOG = logging.getLogger(__name__)

Answer = TypeVar("Answer")
Operation = Callable[..., Any]
#: Names of the storage operations that wrappers apply to: all of Optuna's, and those on heartbeats
#: that a worker depends on. ``record_heartbeat`` is not one: a missed heartbeat does no harm.
_WRAPPED_OPERATIONS = (
    *BaseStorage.__abstractmethods__,
    "record_first_heartbeat",
    "_get_stale_trial_ids",
)
Storage = TypeVar("Storage", bound=HeartbeatStorage)


def retry_while_unreachable(attempt: Callable[[], Answer]) -> Answer:
    """Calls ``attempt`` until it raises no UnreachableError, and returns its result.

    After MAX_RETRY_SECONDS it raises a DatabaseError with the message of the last error.
    """
    started, pause = time.monotonic(), _FIRST_PAUSE_SECONDS
    while True:
        try:
            return attempt()
        except UnreachableError as error:
            if time.monotonic() - started > MAX_RETRY_SECONDS:
                raise DatabaseError(str(error)) from None
            if pause == _FIRST_PAUSE_SECONDS:
                text = " ".join(str(error).split())
                _LOG.error("%s; waiting for it, %.0f minutes at most", text, MAX_RETRY_SECONDS / 60)
        # The random factor keeps the server's clients from retrying all at the same moment.
        time.sleep(pause * random.uniform(0.5, 1.0))
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def wrap_operations(kind: type[Storage], wrap: Callable[[Operation], Operation]) -> type[Storage]:
    """Replaces each storage operation of the class ``kind`` by ``wrap(operation)``; returns it."""
    for name in _WRAPPED_OPERATIONS:
        setattr(kind, name, wrap(getattr(kind, name)))
    return kind


def with_retries(kind: type[Storage]) -> type[Storage]:
    """Class decorator: operations of ``kind`` are retried while their server is unreachable."""
    wrap_operations(kind, _with_retries)
    kind.set_trial_state_values = _accept_repeated_end(kind.set_trial_state_values)  # type: ignore[method-assign]
    return kind


def _with_retries(operation: Operation) -> Operation:
    @functools.wraps(operation)
    def call(*args: Any, **kwargs: Any) -> Any:
        return retry_while_unreachable(functools.partial(operation, *args, **kwargs))

    return call


def _accept_repeated_end(operation: Operation) -> Operation:
    """Wraps ``set_trial_state_values`` so that repeating the same end of a trial is no error.

    A retry repeats it if the server stored the state but became unreachable before it replied.
    """

    @functools.wraps(operation)
    def call(storage: BaseStorage, trial_id: int, state: Any, values: Any = None) -> bool:
        try:
            return bool(operation(storage, trial_id, state, values))
        except UpdateFinishedTrialError:
            trial = storage.get_trial(trial_id)
            if trial.state is not state or trial.values != (values and list(values)):
                raise
            return True

    return call
