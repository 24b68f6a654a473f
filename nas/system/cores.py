"""Processor cores of workers, and whether the processor supports bfloat16."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from latency_models.processor import bind, bound
from search_spaces import InputError

_MOST_WORKERS = 4
#: Memory for each worker: it takes 1.6 GB, most of it for TensorFlow.
_BYTES_PER_WORKER = 2_500_000_000
_GROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


@dataclass(frozen=True)
class Cores:
    """The cores of a worker, as numbers of the operating system."""

    numbers: tuple[int, ...]

    @classmethod
    def available(cls) -> Self:
        """All cores that this process may run on."""
        return cls(tuple(sorted(os.sched_getaffinity(0))))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parses ``0,1``; InputError unless it lists cores that this process may run on."""
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
        """A share for each worker; InputError if there are more workers than cores."""
        if not 1 <= workers <= self.count:
            raise InputError(f"{workers} workers: choose 1 to {self.count}, one core each at least")
        return [Cores(self.numbers[index::workers]) for index in range(workers)]

    def apply(self) -> None:
        """Binds this process and its future children."""
        bind(self.numbers)

    def applied(self) -> AbstractContextManager[None]:
        """Within, this process is bound to the cores; children started there remain so."""
        return bound(self.numbers)


def usual_workers() -> int:
    """Default number of workers on this machine.

    One for each core, since small networks train little faster on two (studies/first_minutes); four
    at most, since simultaneous trials do not know each other's results; and as many as the memory
    allows.
    """
    with_memory = _memory_bytes() // _BYTES_PER_WORKER
    return max(1, min(Cores.available().count, _MOST_WORKERS, with_memory))


def _memory_bytes() -> int:
    """Memory of the machine, or the limit of this process's cgroup if that is lower."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        return min(machine, int(_GROUP_LIMIT.read_text(encoding="ascii")))
    except (OSError, ValueError):  # no such group, or "max"
        return machine


def has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 in hardware."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore").split()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
