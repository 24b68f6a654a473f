"""The cores of a process, and as many threads for its linear algebra."""

from __future__ import annotations

import os
from collections.abc import Collection

import threadpoolctl


def bind(cores: Collection[int]) -> None:
    """Binds this process and its future children to ``cores``.

    A BLAS that is loaded already began with a thread for each core of the machine. They wait for
    each other without sleeping, which on one core takes many times as long as one thread.
    """
    os.sched_setaffinity(0, cores)
    threadpoolctl.threadpool_limits(len(cores))
