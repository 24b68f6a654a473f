"""Binds a process to cores, and limits its BLAS and OpenMP threads to their number."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator

import threadpoolctl


def bind(cores: Collection[int]) -> None:
    """Binds this process and its future children to ``cores``.

    A BLAS library that was loaded before started one thread for each core available then. Such
    threads wait for each other by spinning, so that several on one core take many times as long as
    a single thread. Their number is therefore limited, too.
    """
    os.sched_setaffinity(0, cores)
    threadpoolctl.threadpool_limits(_thread_limits(len(cores)))


@contextlib.contextmanager
def bound(cores: Collection[int]) -> Iterator[None]:
    """Binds this process to ``cores`` within the context; children started in it stay bound."""
    before = os.sched_getaffinity(0)
    with threadpoolctl.threadpool_limits(_thread_limits(len(cores))):
        os.sched_setaffinity(0, cores)
        try:
            yield
        finally:
            os.sched_setaffinity(0, before)


def _thread_limits(threads: int) -> dict[str, int]:
    """Returns the thread limit for each loaded library; lower limits set before are kept."""
    pools = threadpoolctl.threadpool_info()
    return {pool["prefix"]: min(threads, pool["num_threads"]) for pool in pools}
