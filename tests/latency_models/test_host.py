from __future__ import annotations

import os

import pytest

from latency_models import LatencyError, Worker
from latency_models.sources.host import HostSource, HostTiming

from .models import GRAPHS, Models


def test_runs_reach_both_minima(worker: Worker, models: Models) -> None:
    request = models.request(GRAPHS["tiny"]())
    for timing, least in (
        (HostTiming(minimum_runs=7, minimum_seconds=0.0), 7),
        (HostTiming(minimum_runs=1, minimum_seconds=0.5), 2),
    ):
        conditions = dict(HostSource(timing, worker).measure(request).conditions)
        assert int(conditions["runs"]) >= least


def test_threads_are_pinned_and_let_go(worker: Worker, models: Models) -> None:
    before = worker.call(60, os.sched_getaffinity, 0)
    latency = HostSource(HostTiming(minimum_seconds=0.0), worker).measure(
        models.request(GRAPHS["tiny"]())
    )
    conditions = dict(latency.conditions)
    assert conditions["threads"] == "1"
    assert int(conditions["processors"]) in before
    assert worker.call(60, os.sched_getaffinity, 0) == before


def test_more_threads_than_processors_are_refused(worker: Worker, models: Models) -> None:
    source = HostSource(HostTiming(threads=4096), worker)
    with pytest.raises(LatencyError, match=r"4096 threads on .* lower threads"):
        source.measure(models.request(GRAPHS["tiny"]()))


def test_nothing_falls_back(worker: Worker, models: Models) -> None:
    latency = HostSource(HostTiming(minimum_seconds=0.0), worker).measure(
        models.request(GRAPHS["resized"]())
    )
    assert latency.on_cpu == ()
    assert {row.engine for row in latency.operators} == {"cpu"}
    assert all(row.ms > 0 for row in latency.operators)
    assert latency.operators_shared
