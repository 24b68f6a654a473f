"""The cores of a process, and no more threads for its linear algebra than that."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator

import threadpoolctl


def bind(cores: Collection[int]) -> None:
    """Binds this process and its future children to ``cores``.

    A BLAS that is loaded already began with a thread for each core of then. They wait for each
    other without sleeping, which on one core takes many times as long as one thread.
    """
    os.sched_setaffinity(0, cores)
    threadpoolctl.threadpool_limits(_at_most(len(cores)))


@contextlib.contextmanager
def bound(cores: Collection[int]) -> Iterator[None]:
    """Within, this process is bound to ``cores``; children started there remain so."""
    before = os.sched_getaffinity(0)
    with threadpoolctl.threadpool_limits(_at_most(len(cores))):
        os.sched_setaffinity(0, cores)
        try:
            yield
        finally:
            os.sched_setaffinity(0, before)


def _at_most(threads: int) -> dict[str, int]:
    """Of each library that is loaded; one that was told to take fewer keeps to that."""
    pools = threadpoolctl.threadpool_info()
    return {pool["prefix"]: min(threads, pool["num_threads"]) for pool in pools}
