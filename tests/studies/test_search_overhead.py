"""CPU time by part: each function's own, and what is called within one of them apart."""

from __future__ import annotations

import time

import pytest

from studies.search_overhead.stopwatch import Stopwatch, Watched


def work(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


class Work:
    """Functions that call each other."""

    def inner(self) -> None:
        work(0.02)

    def outer(self) -> None:
        work(0.01)
        self.inner()

    def background(self) -> None:
        self.inner()


def test_what_a_part_calls_of_another_is_the_other_s() -> None:
    stopwatch, plain = Stopwatch("pool"), Work.inner
    names = {"inner": "b", "outer": "a", "background": "pool"}
    with stopwatch.watching([Watched(part, Work, name) for name, part in names.items()]):
        Work().outer()
        Work().background()
    assert Work.inner is plain
    assert stopwatch.seconds.keys() == {"a", "b", "pool: b", "pool: pool"}
    assert stopwatch.seconds["a"] == pytest.approx(0.01, abs=0.005)
    assert stopwatch.seconds["b"] == pytest.approx(0.02, abs=0.005)
    assert stopwatch.seconds["pool: b"] == pytest.approx(0.02, abs=0.005)
    assert stopwatch.seconds["pool: pool"] < 0.005
