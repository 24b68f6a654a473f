"""Assigns processor cores to workers, and detects bfloat16 support of the processor."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from latency_models.processor import bind, bound
from search_spaces import InputError

_MAX_WORKERS = 4
#: Memory required for each worker, which takes 1.6 GB, most of it for TensorFlow.
_BYTES_PER_WORKER = 2_500_000_000
_CGROUP_LIMIT_FILE = Path("/sys/fs/cgroup/memory.max")


@dataclass(frozen=True)
class Cores:
    """The cores of a worker, numbered as by the operating system."""

    numbers: tuple[int, ...]

    @classmethod
    def available(cls) -> Self:
        """Returns all cores that this process may run on."""
        return cls(tuple(sorted(os.sched_getaffinity(0))))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parses ``0,1``; raises InputError unless this process may run on all of these cores."""
        try:
            numbers = tuple(int(part) for part in text.split(","))
        except ValueError:
            raise InputError(f"cores {text!r}: write their numbers as 0,1") from None
        usable = cls.available().numbers
        if not numbers or not set(numbers) <= set(usable):
            raise InputError(f"cores {text!r}: this process may use {','.join(map(str, usable))}")
        return cls(numbers)

    @property
    def count(self) -> int:
        return len(self.numbers)

    def __str__(self) -> str:
        return ",".join(map(str, self.numbers))

    def divided(self, workers: int) -> list[Cores]:
        """Divides the cores among workers; raises InputError for more workers than cores."""
        if not 1 <= workers <= self.count:
            raise InputError(f"{workers} workers: choose 1 to {self.count}, one core each at least")
        return [Cores(self.numbers[index::workers]) for index in range(workers)]

    def apply(self) -> None:
        """Binds this process and its future children."""
        bind(self.numbers)

    def applied(self) -> AbstractContextManager[None]:
        """Returns a context in which this process is bound to the cores.

        Child processes that are started in the context remain bound after it.
        """
        return bound(self.numbers)


def usual_workers() -> int:
    """Returns the default number of workers on this machine.

    There is one worker per core, since small networks train little faster on two cores
    (studies/first_minutes), but at most four, since simultaneous trials do not know each other's
    results, and only as many as the memory allows.
    """
    memory_limit = _memory_bytes() // _BYTES_PER_WORKER
    return max(1, min(Cores.available().count, _MAX_WORKERS, memory_limit))


def _memory_bytes() -> int:
    """Returns the memory of the machine, or the limit of this process's cgroup if lower."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        return min(machine, int(_CGROUP_LIMIT_FILE.read_text(encoding="ascii")))
    except (OSError, ValueError):  # no cgroup, or its limit is "max"
        return machine


def has_bfloat16() -> bool:
    """Returns whether the processor multiplies bfloat16 in hardware."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore").split()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
