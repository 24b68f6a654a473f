"""Storages that outlast a server's restart: what it could not answer is asked again."""

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

#: A server that is away for longer is not coming back by itself.
PATIENCE_SECONDS = 300.0
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.2, 5.0
_LOG = logging.getLogger(__name__)

Answer = TypeVar("Answer")
Operation = Callable[..., Any]
#: Of a storage: Optuna's own, and what a worker's loop asks of heartbeats. That later ones are
#: recorded is none: they may be missed.
_OPERATIONS = (
    *BaseStorage.__abstractmethods__,
    "record_first_heartbeat",
    "_get_stale_trial_ids",
)
Storage = TypeVar("Storage", bound=HeartbeatStorage)


def persistently(attempt: Callable[[], Answer]) -> Answer:
    """What ``attempt`` returns, tried again for as long as it raises UnreachableError.

    DatabaseError, the last one, after PATIENCE_SECONDS.
    """
    began, pause = time.monotonic(), _FIRST_PAUSE_SECONDS
    while True:
        try:
            return attempt()
        except UnreachableError as error:
            if time.monotonic() - began > PATIENCE_SECONDS:
                raise DatabaseError(str(error)) from None
            if pause == _FIRST_PAUSE_SECONDS:
                what = " ".join(str(error).split())
                _LOG.error("%s; waiting for it, %.0f minutes at most", what, PATIENCE_SECONDS / 60)
        # Not all of a server's clients at the same moment.
        time.sleep(pause * random.uniform(0.5, 1.0))
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def around_operations(
    kind: type[Storage], wrapped: Callable[[Operation], Operation]
) -> type[Storage]:
    """``kind`` with each operation of a storage replaced by what ``wrapped`` makes of it."""
    for name in _OPERATIONS:
        setattr(kind, name, wrapped(getattr(kind, name)))
    return kind


def persistent(kind: type[Storage]) -> type[Storage]:
    """``kind``, whose operations are tried again while their server is away."""
    around_operations(kind, _persistent)
    kind.set_trial_state_values = _ending_once(kind.set_trial_state_values)  # type: ignore[method-assign]
    return kind


def _persistent(operation: Operation) -> Operation:
    @functools.wraps(operation)
    def call(*args: Any, **kwargs: Any) -> Any:
        return persistently(functools.partial(operation, *args, **kwargs))

    return call


def _ending_once(operation: Operation) -> Operation:
    """To end a trial again as it has ended is no error.

    The server may have gone after it ended the trial and before it said so.
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
