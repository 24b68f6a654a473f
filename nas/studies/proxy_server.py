"""The storage proxy: one process between a database and the workers of many machines.

It speaks Optuna's protocol, so that any version of its client reads a study, and beside it the few
calls of ours that ``proxy`` lists. It holds the database's password, a few of its connections, and
every trial in memory; workers hold nothing but its address.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Any

import grpc
from optuna.storages import BaseStorage
from optuna.storages._cached_storage import _CachedStorage
from optuna.storages._grpc.auto_generated import api_pb2_grpc
from optuna.storages._grpc.servicer import OptunaStorageProxyService

from search_spaces import InputError

from ..system.signals import terminable
from .database import alone_at, open_url
from .place import Place, UnreachableError, is_proxy
from .proxy import ABOUT, BEAT, BUSY, HELD, HOLD, SERVICE, STALE, decode, encode

#: Calls at the same time; each may hold a connection to the database.
_THREADS = 16
_GOODBYE_SECONDS = 5.0
_OPTIONS = (
    # A second proxy on the same port is told that it is taken.
    ("grpc.so_reuseport", 0),
    # A machine that is switched off lets go of what it holds.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.max_receive_message_length", -1),
)


def serve_storage(url: str, host: str, port: int, announce: Callable[[str], None]) -> None:
    """Serves the database at ``url`` until Ctrl-C or SIGTERM, which raise KeyboardInterrupt.

    ``announce`` is given the proxy's own URL once it answers; port 0 is any free one. The database
    gets its tables if it has none. InputError if the address is taken or not this machine's.
    """
    with serving(url, host, port) as (server, address), terminable():
        announce(f"grpc://{address}")
        server.wait_for_termination()


@contextlib.contextmanager
def serving(url: str, host: str, port: int) -> Iterator[tuple[grpc.Server, str]]:
    """Within, a proxy serves the database at ``url``: it, and its HOST:PORT."""
    if is_proxy(url):
        raise InputError(f"--storage {Place.of_url(url).shown}: a proxy needs a database's own URL")
    storage = open_url(url, connections=_THREADS + 1)
    server = grpc.server(ThreadPoolExecutor(_THREADS), options=_OPTIONS)
    service = OptunaStorageProxyService(storage)
    api_pb2_grpc.add_StorageServiceServicer_to_server(service, server)  # type: ignore[no-untyped-call]
    server.add_generic_rpc_handlers((_Calls(storage, url).handler(),))
    place = f"[{host}]" if ":" in host else host
    try:
        bound = server.add_insecure_port(f"{place}:{port}")
    except RuntimeError:
        raise InputError(
            f"{place}:{port}: taken, or no address of this machine; choose another by --host and "
            "--port"
        ) from None
    server.start()
    try:
        yield server, f"{place}:{bound}"
    finally:
        server.stop(_GOODBYE_SECONDS).wait()


class _Calls:
    """What Optuna's protocol lacks. Used from many threads."""

    def __init__(self, storage: BaseStorage, url: str) -> None:
        assert isinstance(storage, _CachedStorage)  # what Optuna puts before any database
        self._storage = storage
        self._url = url
        self._hold = threading.Lock()

    def handler(self) -> grpc.GenericRpcHandler:
        """All of them, by name."""
        plain = {
            ABOUT: lambda _: {"optuna": version("optuna")},
            BEAT: self._storage._backend.record_heartbeat,
            STALE: self._storage._get_stale_trial_ids,
        }
        handlers = {name: _answering(function) for name, function in plain.items()}
        handlers[HOLD] = grpc.unary_stream_rpc_method_handler(self.hold)
        return grpc.method_handlers_generic_handler(SERVICE, handlers)

    def hold(self, _: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        """The database's lock, for as long as the caller lives and listens.

        Only one call waits within: a thread for each that wants it would leave none for the one
        that has it.
        """
        ended = threading.Event()
        if not self._hold.acquire(blocking=False):
            yield BUSY
            return
        try:
            if context.add_callback(ended.set):  # False: the caller has gone
                with alone_at(self._url):
                    yield HELD
                    ended.wait()
        finally:
            self._hold.release()


def _answering(function: Callable[[Any], object]) -> grpc.RpcMethodHandler:
    def answer(arguments: list[Any], context: grpc.ServicerContext) -> list[object]:
        try:
            return [function(*arguments)]
        except UnreachableError as error:  # the caller may ask again
            context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
            raise  # abort has raised

    return grpc.unary_unary_rpc_method_handler(
        answer, request_deserializer=decode, response_serializer=encode
    )
