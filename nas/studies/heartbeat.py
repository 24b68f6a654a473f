"""When a worker of another machine counts as dead: Optuna's heartbeat, and how long it may fail."""

from __future__ import annotations

import abc

from optuna.storages import BaseStorage
from optuna.storages._heartbeat import BaseHeartbeat

HEARTBEAT_SECONDS = 10
#: After so long without one a trial is run again: within a minute of its worker's death, then.
GRACE_SECONDS = 45


class HeartbeatStorage(BaseStorage, BaseHeartbeat):
    """A storage whose ``record_heartbeat``, in a thread of Optuna's, raises nothing.

    One missed beat does no harm, and the trial's writes tell. A trial's first must not be missed:
    one without any is never taken for dead.
    """

    @abc.abstractmethod
    def record_first_heartbeat(self, trial_id: int) -> None:
        """An operation like any other: done when this returns, or it raises."""
