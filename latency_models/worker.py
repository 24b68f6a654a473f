"""A long-lived child process for code that may crash or hang: converters, compilers, interpreters.

One import of TensorFlow per worker, not per model; a segmentation fault or a time-out costs one
restart and becomes a ``WorkerError`` in the parent.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import ParamSpec, Self, TypeVar

from search_spaces import CandidateError

P = ParamSpec("P")
T = TypeVar("T")


class WorkerError(CandidateError):
    """The worker died or ran out of time over one call; it has been restarted."""


class Worker:
    """One child process, started with its first call. Not thread-safe; close it after use."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    def call(
        self, timeout_seconds: float, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """``function(*args, **kwargs)`` in the child: importable by name, with picklable values.

        Raises what the function raises, and WorkerError if the child dies or takes longer.
        """
        try:
            future = self._started().submit(function, *args, **kwargs)
            return future.result(timeout_seconds)
        except BrokenProcessPool:
            self.close()
            raise WorkerError(
                f"{function.__name__}: the worker process died: "
                "a crash in native code, or out of memory"
            ) from None
        except TimeoutError:
            if future.done():  # raised by the function itself
                raise
            self.close()
            raise WorkerError(
                f"{function.__name__}: no answer within {timeout_seconds:g} s; stopped"
            ) from None
        except KeyboardInterrupt:
            self.close()  # else Python waits for the child before it exits
            raise

    def begin(self, function: Callable[[], object]) -> None:
        """Starts the child with ``function``, and does not wait: the next call finds it done.

        What goes wrong in it goes wrong in that call.
        """
        with contextlib.suppress(BrokenProcessPool):
            self._started().submit(function)

    def close(self) -> None:
        """Ends the child at once; the next call starts another."""
        pool, self._pool = self._pool, None
        if pool is not None:
            for process in list((pool._processes or {}).values()):
                process.kill()
            pool.shutdown(wait=True, cancel_futures=True)

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=_settle)
        return self._pool

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _settle() -> None:
    """Quiet, deaf to Ctrl-C (the parent decides), and gone as soon as the parent is."""
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
