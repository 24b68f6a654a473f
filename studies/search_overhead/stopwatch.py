"""Measures CPU seconds of functions, without those of watched functions that they call."""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from unittest import mock


@dataclass(frozen=True)
class Watched:
    """A function that belongs to a part: the module or class that owns it, and its name there."""

    part: str
    owner: object
    name: str


@dataclass
class _Call:
    """A running call of a watched function."""

    part: str
    #: Seconds of watched calls within this call.
    inner_seconds: float = 0.0


@dataclass
class Stopwatch:
    """CPU seconds of watched functions by part, over all threads."""

    #: Part whose calls, with all watched calls within them, are listed as "apart: part".
    apart: str
    seconds: dict[str, float] = field(default_factory=dict)
    _calls: threading.local = field(default_factory=threading.local)

    @contextlib.contextmanager
    def watching(self, functions: Sequence[Watched]) -> Iterator[None]:
        """Context in which the calls of ``functions`` are measured."""
        with contextlib.ExitStack() as patches:
            for function in functions:
                timed = self._timed(function.part, getattr(function.owner, function.name))
                patches.enter_context(mock.patch.object(function.owner, function.name, timed))
            yield

    def _timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            calls: list[_Call] = self._calls.__dict__.setdefault("open", [])
            own = _Call(part)
            calls.append(own)
            began = time.thread_time()
            try:
                return function(*args, **kwargs)
            finally:
                spent = time.thread_time() - began
                calls.pop()
                if calls:
                    calls[-1].inner_seconds += spent
                is_apart = self.apart in (part, *(outer.part for outer in calls))
                name = f"{self.apart}: {part}" if is_apart else part
                before = self.seconds.get(name, 0.0)
                self.seconds[name] = before + spent - own.inner_seconds

        return call
