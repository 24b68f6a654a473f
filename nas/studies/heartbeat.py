"""Heartbeats by which workers of other machines are recognized as alive or dead."""

from __future__ import annotations

import abc

from optuna.storages import BaseStorage
from optuna.storages._heartbeat import BaseHeartbeat

#: Interval between the heartbeats of a running trial.
HEARTBEAT_SECONDS = 10
#: A trial without a heartbeat for this time is run again, so within a minute of its worker's death.
GRACE_SECONDS = 45


class HeartbeatStorage(BaseStorage, BaseHeartbeat):
    """A storage with heartbeats, whose ``record_heartbeat`` raises no error.

    Optuna calls ``record_heartbeat`` in a background thread. One missed heartbeat does no harm, and
    a lasting failure is reported by the trial's own writes. The first heartbeat of a trial must
    succeed: a trial that never had one is never considered dead.
    """

    @abc.abstractmethod
    def record_first_heartbeat(self, trial_id: int) -> None:
        """Records a trial's first heartbeat; raises DatabaseError if that fails."""
