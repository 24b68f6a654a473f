"""When a worker of another machine counts as dead: Optuna's heartbeat, and how long it may fail."""

from __future__ import annotations

HEARTBEAT_SECONDS = 10
#: After so long without one a trial is run again: within a minute of its worker's death, then.
GRACE_SECONDS = 45
