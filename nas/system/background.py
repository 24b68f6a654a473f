"""Runs a function in a background thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def in_background(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Callable[[], T]:
    """Starts ``function(*args, **kwargs)``; the returned function waits for its result or error.

    Ctrl-C interrupts the waiting. (If the main thread computed for long itself, KeyboardInterrupt
    might be raised in a callback or a destructor, and be lost there.) An executor is not used since
    it never ends if it is interrupted while it starts a thread.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(function(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name=getattr(function, "__name__", None)).start()
    return future.result
