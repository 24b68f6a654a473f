"""The storage proxy: one process between a database and the workers of many machines.

It serves Optuna's protocol, so that Optuna's own clients can read a study, and the few additional
calls that ``proxy`` lists. Only the proxy needs the database's password. It uses a few connections
and keeps all trials in memory; workers only need its address.
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
from .database import database_lock, open_url
from .place import Place, UnreachableError, is_proxy
from .proxy import ABOUT, BEAT, BUSY, HELD, HOLD, SERVICE, STALE, decode, encode

#: Maximum number of simultaneous calls; each may use a connection to the database.
_THREADS = 16
_SHUTDOWN_SECONDS = 5.0
_SERVER_OPTIONS = (
    # A second proxy on the same port fails instead of sharing it.
    ("grpc.so_reuseport", 0),
    # Calls of a machine that was switched off are cancelled, which releases its lock.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.max_receive_message_length", -1),
)


def serve_storage(url: str, host: str, port: int, announce: Callable[[str], None]) -> None:
    """Serves the database at ``url`` until Ctrl-C or SIGTERM, which raise KeyboardInterrupt.

    ``announce`` is called with the proxy's own URL once it answers. Port 0 means any free port. The
    database's tables are created if missing. Raises InputError if the address is taken or is not
    this machine's.
    """
    with serving(url, host, port) as (server, address), terminable():
        announce(f"grpc://{address}")
        server.wait_for_termination()


@contextlib.contextmanager
def serving(url: str, host: str, port: int) -> Iterator[tuple[grpc.Server, str]]:
    """Serves the database at ``url`` during the block; yields the server and its HOST:PORT."""
    if is_proxy(url):
        raise InputError(f"--storage {Place.of_url(url).shown}: a proxy needs a database's own URL")
    storage = open_url(url, connections=_THREADS + 1)
    server = grpc.server(ThreadPoolExecutor(_THREADS), options=_SERVER_OPTIONS)
    service = OptunaStorageProxyService(storage)
    api_pb2_grpc.add_StorageServiceServicer_to_server(service, server)  # type: ignore[no-untyped-call]
    server.add_generic_rpc_handlers((_AdditionalCalls(storage, url).handler(),))
    address = f"[{host}]" if ":" in host else host
    try:
        bound_port = server.add_insecure_port(f"{address}:{port}")
    except RuntimeError:
        raise InputError(
            f"{address}:{port}: taken, or no address of this machine; choose another by --host and "
            "--port"
        ) from None
    server.start()
    try:
        yield server, f"{address}:{bound_port}"
    finally:
        server.stop(_SHUTDOWN_SECONDS).wait()


class _AdditionalCalls:
    """Serves the calls that Optuna's protocol lacks. Its methods run in many threads."""

    def __init__(self, storage: BaseStorage, url: str) -> None:
        assert isinstance(storage, _CachedStorage)  # ``open_url`` returns one for a database
        self._storage = storage
        self._url = url
        #: Held by the one ``hold`` call that waits for the database's lock or holds it.
        self._hold_lock = threading.Lock()

    def handler(self) -> grpc.GenericRpcHandler:
        """Returns the handler of all additional calls."""
        functions = {
            ABOUT: lambda _: {"optuna": version("optuna")},
            BEAT: self._storage._backend.record_heartbeat,
            STALE: self._storage._get_stale_trial_ids,
        }
        handlers = {name: _unary_handler(function) for name, function in functions.items()}
        handlers[HOLD] = grpc.unary_stream_rpc_method_handler(self.hold)
        return grpc.method_handlers_generic_handler(SERVICE, handlers)

    def hold(self, _: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        """Holds the database's lock until the caller cancels the call or dies.

        Only one call at a time waits for the lock or holds it; others get BUSY and try again. If
        each caller waited in a thread, none would be left to serve the holder of the lock.
        """
        ended = threading.Event()
        if not self._hold_lock.acquire(blocking=False):
            yield BUSY
            return
        try:
            if context.add_callback(ended.set):  # False: the call has already ended
                with database_lock(self._url):
                    yield HELD
                    ended.wait()
        finally:
            self._hold_lock.release()


def _unary_handler(function: Callable[[Any], object]) -> grpc.RpcMethodHandler:
    """Returns a handler that calls ``function`` with the decoded argument."""

    def answer(arguments: list[Any], context: grpc.ServicerContext) -> list[object]:
        try:
            return [function(*arguments)]
        except UnreachableError as error:  # UNAVAILABLE tells the caller to retry
            context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
            raise  # never reached, since abort raises

    return grpc.unary_unary_rpc_method_handler(
        answer, request_deserializer=decode, response_serializer=encode
    )
