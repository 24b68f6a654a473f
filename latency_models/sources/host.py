"""Times models on the CPU of this machine, with LiteRT and its XNNPACK kernels."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import PositiveInt

from search_spaces import InputError, NasError

from ..source import INTERVAL, Latency, LatencyError, LatencyRequest, LatencySource
from ..tflite.interpreter import Arithmetic, run_model
from ..tflite.requests import read_tflite, require_same_operators
from ..worker import Worker
from .apportioning import SHARING_RULE, shared_out
from .settings import PositiveSeconds, SourcePlace, SourceSettings


@dataclass(frozen=True)
class HostTiming:
    """How long to measure: until both the minimum runs and the minimum seconds are reached."""

    threads: int = 1
    warmup_runs: int = 3
    minimum_runs: int = 10
    minimum_seconds: float = 1.0


@dataclass(frozen=True)
class HostRuns:
    """Milliseconds of each run, and the processors that the threads were pinned to, if any."""

    ms: tuple[float, ...]
    processors: tuple[int, ...]
    version: str


class HostSource(LatencySource):
    """Times each model in ``worker``.

    The latency is that of the fastest run, since other processes can only make a run longer. The
    interval extends to the median. LiteRT's Python interface gives no times of operators: the total
    is apportioned by their bytes and multiply-accumulates.
    """

    def __init__(
        self, timing: HostTiming, worker: Worker, *, timeout_seconds: float = 300.0
    ) -> None:
        self._timing = timing
        self._worker = worker
        self._timeout_seconds = timeout_seconds

    def measure(self, request: LatencyRequest) -> Latency:
        """Times the model; LatencyError also if the interpreter crashes or takes too long."""
        data = request.make_tflite()
        try:
            require_same_operators(request, read_tflite(data))
            runs = self._worker.call(self._timeout_seconds, time_runs, data, self._timing)
        except NasError as error:
            raise LatencyError(f"{request.name} on the host: {error}") from error
        ms = min(runs.ms)
        return Latency(
            ms=ms,
            low_ms=ms,
            high_ms=statistics.median(runs.ms),
            operators=shared_out(ms, request.operators, "cpu"),
            on_cpu=(),
            source="host",
            conditions=(
                ("runtime", f"ai-edge-litert {runs.version}, XNNPACK"),
                ("threads", str(self._timing.threads)),
                ("processors", ",".join(map(str, runs.processors)) or "not pinned"),
                ("runs", str(len(runs.ms))),
                (INTERVAL, "from the fastest run, which counts, to the median"),
                ("operators", SHARING_RULE),
            ),
            operators_shared=True,
        )

    def run(self, request: LatencyRequest, image: bytes) -> bytes:
        """Runs the model with XNNPACK, as in the measurement."""
        data = request.make_tflite()
        try:
            require_same_operators(request, read_tflite(data))
            return self._worker.call(
                self._timeout_seconds, run_model, data, image, Arithmetic.XNNPACK
            )
        except NasError as error:
            raise LatencyError(f"{request.name} on the host: {error}") from error


class HostSettings(SourceSettings):
    """Settings of the CPU of this machine."""

    measures: ClassVar[bool] = True

    source: Literal["host"]
    threads: PositiveInt = 1
    warmup_runs: PositiveInt = 3
    minimum_runs: PositiveInt = 10
    minimum_seconds: PositiveSeconds = 1.0
    timeout_seconds: PositiveSeconds = 300.0

    def open(self, place: SourcePlace) -> HostSource:
        """Returns the latency source, which runs LiteRT in the worker."""
        timing = HostTiming(self.threads, self.warmup_runs, self.minimum_runs, self.minimum_seconds)
        return HostSource(timing, place.worker, timeout_seconds=self.timeout_seconds)


def time_runs(data: bytes, timing: HostTiming) -> HostRuns:
    """Times the model on noise. Runs in the worker, since a bad file may crash the interpreter."""
    import ai_edge_litert
    from ai_edge_litert.interpreter import Interpreter

    with _pinned(timing.threads) as processors:
        try:
            interpreter = Interpreter(model_content=data, num_threads=timing.threads)
            interpreter.allocate_tensors()
            _fill_with_noise(interpreter)
            for _ in range(timing.warmup_runs):
                interpreter.invoke()
            times = _timed_runs(interpreter, timing)
        except (RuntimeError, ValueError) as error:
            message = " ".join(str(error).split())
            raise LatencyError(f"LiteRT cannot run it: {message}") from None
    return HostRuns(times, processors, ai_edge_litert.__version__)


def _fill_with_noise(interpreter: Any) -> None:
    import numpy as np

    random = np.random.default_rng(0)
    for tensor in interpreter.get_input_details():
        size = int(np.prod(tensor["shape"]))
        values = random.integers(0, 128, size).astype(tensor["dtype"])
        interpreter.set_tensor(tensor["index"], values.reshape(tensor["shape"]))


def _timed_runs(interpreter: Any, timing: HostTiming) -> tuple[float, ...]:
    times: list[float] = []
    end = time.perf_counter() + timing.minimum_seconds
    while len(times) < timing.minimum_runs or time.perf_counter() < end:
        start = time.perf_counter_ns()
        interpreter.invoke()
        times.append((time.perf_counter_ns() - start) / 1e6)
    return tuple(times)


@contextmanager
def _pinned(threads: int) -> Iterator[tuple[int, ...]]:
    """Pins this thread and those it starts to ``threads`` processors, if the system supports it.

    Yields the processors; InputError if there are too few.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield ()
        return
    before = os.sched_getaffinity(0)
    if threads > len(before):
        raise InputError(
            f"{threads} threads on {len(before)} processors; lower threads in device.toml"
        )
    # The last processors, since the operating system mostly works on the first ones.
    processors = tuple(sorted(before)[-threads:])
    os.sched_setaffinity(0, processors)
    try:
        yield processors
    finally:
        os.sched_setaffinity(0, before)
