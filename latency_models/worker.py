"""A long-lived child process for code that may crash or hang: trainings, converters, compilers.

It forks from a server, a process without threads that may have the heavy imports behind it. A
segmentation fault or a time-out costs one fork and becomes a ``WorkerError`` in the parent. The
script of the parent is not run again in the child: what a child does is importable without it.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, ForkServerProcess
from multiprocessing.popen_forkserver import Popen
from multiprocessing.process import BaseProcess
from types import ModuleType
from typing import Any, ParamSpec, Self, TypeVar

from search_spaces import CandidateError

from .processor import bind

P = ParamSpec("P")
T = TypeVar("T")

_SAFE_PATH = "PYTHONSAFEPATH"
#: For so long may what a followed call says, or its end, go unnoticed.
_POLL_SECONDS = 0.05


class _Process(ForkServerProcess):
    """A child that does not import the parent's script, as multiprocessing's own do.

    So a script or a notebook needs no ``if __name__ == "__main__":`` around what it does.
    """

    @staticmethod
    def _Popen(process: BaseProcess) -> Popen:  # noqa: N802 (its name in multiprocessing)
        with _as_main(ModuleType("__main__")):
            return Popen(process)


class _Context(ForkServerContext):
    Process = _Process


@contextlib.contextmanager
def _as_main(module: ModuleType) -> Iterator[None]:
    """Within, ``module`` is taken for the script."""
    script = sys.modules["__main__"]
    sys.modules["__main__"] = module
    try:
        yield
    finally:
        sys.modules["__main__"] = script


_SERVER = _Context()


def import_for_workers(*modules: str) -> None:
    """Workers of this process begin with ``modules`` imported: once for all of them.

    Call it before the first worker begins; it does not wait for the imports. What they import may
    start no threads: a fork leaves those behind.
    """
    _SERVER.set_forkserver_preload([*modules, "latency_models.fork_server"])
    with _deaf(), _safe_path():
        forkserver.ensure_running()


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """Within, a process that begins ignores Ctrl-C; Python can see to it in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heeded = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, heeded)


@contextlib.contextmanager
def _safe_path() -> Iterator[None]:
    """Within, a Python that begins imports nothing from the current folder."""
    before = os.environ.get(_SAFE_PATH)
    os.environ[_SAFE_PATH] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_SAFE_PATH]
        else:
            os.environ[_SAFE_PATH] = before


class WorkerError(CandidateError):
    """The worker died or ran out of time over one call; it has been restarted."""


class Worker:
    """One child process, started with its first call. Not thread-safe; close it after use."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._receiver, self._sender = multiprocessing.Pipe(duplex=False)
        self._followed = 0

    @property
    def followed(self) -> int:
        """Calls of ``follow`` that the present child was given, however they ended."""
        return self._followed

    def call(
        self, timeout_seconds: float, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """``function(*args, **kwargs)`` in the child: importable by name, with picklable values.

        Raises what the function raises, and WorkerError if the child dies or takes longer.
        """
        with self._guarded(function):
            future = self._started().submit(function, *args, **kwargs)
            try:
                return future.result(timeout_seconds)
            except TimeoutError:
                if future.done():  # raised by the function itself
                    raise
                self.close()
                raise WorkerError(
                    f"{function.__name__}: no answer within {timeout_seconds:g} s; stopped"
                ) from None

    def follow(
        self,
        on_message: Callable[[Any], None],
        patience: Callable[[], float],
        function: Callable[P, T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """As ``call``, as long as the function goes on sending messages.

        ``on_message`` gets what the function gives to ``send``. ``patience`` says how many seconds
        it may now be silent; then the child is stopped, and WorkerError raised. What ``on_message``
        raises ends the child, too.
        """
        with self._guarded(function):
            future = self._started().submit(function, *args, **kwargs)
            self._followed += 1
            silent_seconds = 0.0
            try:
                while not future.done() or self._receiver.poll():
                    if self._receiver.poll(_POLL_SECONDS):
                        on_message(self._receiver.recv())
                        silent_seconds = 0.0
                        continue
                    # Counted, not read off a clock: while both sleep, or wait for the processor,
                    # the child misses nothing.
                    silent_seconds += _POLL_SECONDS
                    if silent_seconds > patience():
                        raise WorkerError(
                            f"{function.__name__}: no sign of life within {silent_seconds:.3g} s; "
                            "stopped"
                        )
            except BaseException:
                self.close()
                raise
            return future.result()

    @contextlib.contextmanager
    def _guarded(self, function: Callable[..., object]) -> Iterator[None]:
        try:
            yield
        except BrokenProcessPool:
            self.close()
            raise WorkerError(
                f"{function.__name__}: the worker process died: "
                "a crash in native code, or out of memory"
            ) from None
        except KeyboardInterrupt:
            self.close()  # else Python waits for the child before it exits
            raise

    def begin(self, function: Callable[[], object]) -> None:
        """Starts the child with ``function``, and does not wait: the next call finds it done.

        What goes wrong in it goes wrong in that call. A server that still imports is waited for.
        """
        with contextlib.suppress(BrokenProcessPool):
            self._started().submit(function)

    def close(self) -> None:
        """Ends the child at once; the next call starts another."""
        pool, self._pool = self._pool, None
        self._followed = 0
        if pool is not None:
            for process in list((pool._processes or {}).values()):
                process.kill()
            pool.shutdown(wait=True, cancel_futures=True)
        while self._receiver.poll():  # nobody follows the call any more
            self._receiver.recv()

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                1,
                mp_context=_SERVER,
                initializer=_settle,
                initargs=(self._sender, os.sched_getaffinity(0)),
            )
        return self._pool

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


#: In a worker process: to whom it says what a followed call has to say.
_listeners: list[Connection] = []


def send(message: object) -> None:
    """Within a worker: gives ``message``, small and picklable, to who follows this call."""
    assert _listeners, "send: this is no worker process"
    _listeners[0].send(message)


def _settle(listener: Connection, cores: set[int]) -> None:
    """Quiet, deaf to Ctrl-C (the parent decides), and gone as soon as the parent is.

    ``cores`` are the parent's: the server may have begun with others.
    """
    _listeners.append(listener)
    bind(cores)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Compilers print from C++ straight to these descriptors.
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    parent = multiprocessing.parent_process()

    def follow() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
