"""What may become of a training in a worker process."""

from __future__ import annotations

import time

from search_spaces import CandidateError


def hang(*_: object) -> None:
    """As a deadlock in native code does."""
    time.sleep(600)


def fail(*_: object) -> None:
    """As a network does whose loss is not finite."""
    raise CandidateError("training: the loss is nan")
