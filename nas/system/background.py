"""Work in a thread of its own, to be asked for its result."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def in_background(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Callable[[], T]:
    """Begins ``function(*args, **kwargs)``; what is returned waits for its result, or its error.

    Ctrl-C ends the waiting, wherever the function is: raised within a long computation of the main
    thread, it may be lost in a callback or a destructor there. A thread of an executor, if Ctrl-C
    met its beginning, would never end, nor the program.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(function(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name=getattr(function, "__name__", None)).start()
    return future.result
