"""The processor: which cores a worker may use, and whether they multiply bfloat16."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from search_spaces import InputError

_MOST_WORKERS = 4
#: A worker takes 1.6 GB, most of it TensorFlow's.
_BYTES_PER_WORKER = 2_500_000_000
_GROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


@dataclass(frozen=True)
class Cores:
    """A worker's own cores, by the operating system's numbers."""

    numbers: tuple[int, ...]

    @classmethod
    def available(cls) -> Self:
        """All that this process may run on."""
        return cls(tuple(sorted(os.sched_getaffinity(0))))

    @classmethod
    def parse(cls, text: str) -> Self:
        """``0,1``; InputError if it is no list of cores that this process may run on."""
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
        os.sched_setaffinity(0, self.numbers)

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Within, this process is bound, and children that begin there remain so."""
        before = Cores.available()
        self.apply()
        try:
            yield
        finally:
            before.apply()


def usual_workers() -> int:
    """How many workers share this machine where nobody says.

    One for each core: small networks train little faster on two (studies/first_minutes). Four at
    most, since those that train at once know nothing of each other's results, and as many as have
    their share of memory.
    """
    with_memory = _memory_bytes() // _BYTES_PER_WORKER
    return max(1, min(Cores.available().count, _MOST_WORKERS, with_memory))


def _memory_bytes() -> int:
    """Of the machine, or what this process's group may have of it."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        return min(machine, int(_GROUP_LIMIT.read_text(encoding="ascii")))
    except (OSError, ValueError):  # no such group, or "max"
        return machine


def has_bfloat16() -> bool:
    """Does the processor multiply bfloat16 in hardware?"""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore").split()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
