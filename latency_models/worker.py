"""A long-lived child process for code that may crash or hang: trainings, converters, compilers.

The child is forked from a fork server, a process without threads that may have imported heavy
modules already. A segmentation fault or a timeout costs one fork and becomes a ``WorkerError`` in
the parent. The child does not run the parent's main script: the functions that it calls must be
importable without that script.
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

#: Environment variable that keeps Python from importing modules of the current folder.
_SAFE_PATH = "PYTHONSAFEPATH"
#: Interval at which a followed call is checked for messages and for its end.
_POLL_SECONDS = 0.05


class _Process(ForkServerProcess):
    """A child that does not import the parent's main script, unlike those of multiprocessing.

    Scripts and notebooks therefore need no ``if __name__ == "__main__":`` guard.
    """

    @staticmethod
    def _Popen(process: BaseProcess) -> Popen:  # noqa: N802 (its name in multiprocessing)
        with _main_module(ModuleType("__main__")):
            return Popen(process)


class _Context(ForkServerContext):
    Process = _Process


@contextlib.contextmanager
def _main_module(module: ModuleType) -> Iterator[None]:
    """Makes ``module`` the ``__main__`` module within the context."""
    script = sys.modules["__main__"]
    sys.modules["__main__"] = module
    try:
        yield
    finally:
        sys.modules["__main__"] = script


_SERVER = _Context()


def import_for_workers(*modules: str) -> None:
    """Imports ``modules`` in the fork server, once for all workers of this process.

    Call it before the first worker starts; it does not wait for the imports. The modules must not
    start threads when they are imported, since threads do not survive a fork.
    """
    _SERVER.set_forkserver_preload([*modules, "latency_models.fork_server"])
    with _ignoring_interrupts(), _safe_path():
        forkserver.ensure_running()


@contextlib.contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    """Makes processes that start within the context ignore Ctrl-C.

    It has no effect outside the main thread, where Python cannot set signal handlers.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


@contextlib.contextmanager
def _safe_path() -> Iterator[None]:
    """Keeps Python processes that start within the context from importing the current folder."""
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
    """The worker process died or timed out during a call; the next call starts a new one."""


class Worker:
    """One child process, started by the first call. Not thread-safe; close it after use."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._receiver, self._sender = multiprocessing.Pipe(duplex=False)
        self._followed = 0

    @property
    def followed(self) -> int:
        """Number of ``follow`` calls that the present child has got, including failed ones."""
        return self._followed

    def call(
        self, timeout_seconds: float, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Returns ``function(*args, **kwargs)``, computed in the child process.

        The function must be importable by name, and its arguments and result picklable. Raises
        what the function raises, and WorkerError if the child dies or exceeds the timeout.
        """
        with self._translated_errors(function):
            future = self._running_pool().submit(function, *args, **kwargs)
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
        """Like ``call``, but without a timeout as long as the function keeps sending messages.

        ``on_message`` is called with each message that the function passes to ``send``.
        ``patience`` returns for how many seconds the function may be silent now; after that, the
        child is stopped and WorkerError raised. Exceptions of ``on_message`` stop the child, too.
        """
        with self._translated_errors(function):
            future = self._running_pool().submit(function, *args, **kwargs)
            self._followed += 1
            silent_seconds = 0.0
            try:
                while not future.done() or self._receiver.poll():
                    if self._receiver.poll(_POLL_SECONDS):
                        on_message(self._receiver.recv())
                        silent_seconds = 0.0
                        continue
                    # Waits are counted instead of reading a clock: while the whole machine is
                    # suspended or overloaded, a clock would go on, but the child could not.
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
    def _translated_errors(self, function: Callable[..., object]) -> Iterator[None]:
        """Converts the death of the child to WorkerError; an interrupt stops the child."""
        try:
            yield
        except BrokenProcessPool:
            self.close()
            raise WorkerError(
                f"{function.__name__}: the worker process died: "
                "a crash in native code, or out of memory"
            ) from None
        except KeyboardInterrupt:
            self.close()  # otherwise Python would wait for the child before it exits
            raise

    def begin(self, function: Callable[[], object]) -> None:
        """Starts the child, runs ``function`` in it, and does not wait for the result.

        The next call runs after ``function``; if the child dies, the next call raises the error.
        Blocks only while the fork server still imports its modules.
        """
        with contextlib.suppress(BrokenProcessPool):
            self._running_pool().submit(function)

    def close(self) -> None:
        """Kills the child process at once; the next call starts a new one."""
        pool, self._pool = self._pool, None
        self._followed = 0
        if pool is not None:
            for process in list((pool._processes or {}).values()):
                process.kill()
            pool.shutdown(wait=True, cancel_futures=True)
        while self._receiver.poll():  # drop messages of the stopped call
            self._receiver.recv()

    def _running_pool(self) -> ProcessPoolExecutor:
        """Returns the pool of the child process; starts it if necessary."""
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                1,
                mp_context=_SERVER,
                initializer=_initialize_child,
                initargs=(self._sender, os.sched_getaffinity(0)),
            )
        return self._pool

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


#: In a worker process: the connection, once it is set, for messages of followed calls.
_message_connections: list[Connection] = []


def send(message: object) -> None:
    """Sends ``message``, small and picklable, from a worker to the caller of ``follow``."""
    assert _message_connections, "send: this is no worker process"
    _message_connections[0].send(message)


def _initialize_child(sender: Connection, cores: set[int]) -> None:
    """Initializes the child process.

    The child discards its output, ignores Ctrl-C (the parent handles it), and exits as soon as the
    parent does. ``cores`` are those of the parent; the fork server may have started on others.
    """
    _message_connections.append(sender)
    bind(cores)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Compilers print from C++ directly to file descriptors 1 and 2.
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    parent = multiprocessing.parent_process()

    def exit_with_parent() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=exit_with_parent, daemon=True).start()
