"""The client of a storage proxy: a worker uses a database through ``nas serve-storage``.

Optuna's own client supports neither heartbeats nor locks. The proxy therefore serves a few
additional calls beside Optuna's, so that a killed worker is detected as it is without a proxy.
"""

from __future__ import annotations

import contextlib
import functools
import json
import random
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Self

import grpc
import optuna
from optuna.storages import GrpcStorageProxy

from search_spaces import InputError

from ..system.files import json_text
from .heartbeat import HEARTBEAT_SECONDS, HeartbeatStorage
from .persistence import with_retries, wrap_operations
from .place import DatabaseError, Place, UnreachableError, parse_url

#: The gRPC service of the additional calls, and their names.
SERVICE = "nas.Studies"
ABOUT, BEAT, STALE, HOLD = "About", "Beat", "Stale", "Hold"
#: The first message of the ``HOLD`` stream: either the caller holds the database's lock until it
#: cancels the call, or another caller holds or awaits it.
HELD, BUSY = b"held", b"busy"
DEFAULT_PORT = 13000
#: Time limit of an additional call.
_CALL_SECONDS = 10.0
#: Mean pause between attempts to get the lock while another caller holds it.
_POLL_SECONDS = 0.1


def encode(value: object) -> bytes:
    """Serializes an argument or a result of the additional calls."""
    return json_text(value).encode()


def decode(message: bytes) -> Any:
    """Returns the value that was given to ``encode``.

    The calls wrap their values in lists: gRPC takes a result of None for a failure to decode.
    """
    return json.loads(message)


@dataclass(frozen=True)
class ProxyAddress:
    """The address of a proxy; an IPv6 address in ``host`` is in brackets."""

    host: str
    port: int

    @classmethod
    def parse(cls, url: str) -> Self:
        """Parses ``grpc://HOST:PORT``; raises InputError for anything else.

        A user, password or database in the URL is an error: only the proxy itself needs them.
        """
        parsed = parse_url(url)
        port = DEFAULT_PORT if parsed.port is None else parsed.port
        extras = (parsed.username, parsed.password, parsed.database, *parsed.query)
        if not parsed.host or any(extras) or not 0 < port < 1 << 16:
            raise InputError(
                f"--storage {Place.of_url(url).shown!r}: write grpc://HOST:{DEFAULT_PORT}; only "
                "`nas serve-storage` is given the database, its user and password"
            )
        host = f"[{parsed.host}]" if ":" in parsed.host else parsed.host
        return cls(host, port)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def _with_database_errors(operation: Callable[..., Any]) -> Callable[..., Any]:
    """Wraps a storage operation so that gRPC's errors become DatabaseError."""

    @functools.wraps(operation)
    def call(storage: _ProxiedStorage, *args: Any, **kwargs: Any) -> Any:
        try:
            return operation(storage, *args, **kwargs)
        except grpc.RpcError as error:
            raise _database_error(storage.place, error) from None

    return call


class _ProxiedStorage(GrpcStorageProxy, HeartbeatStorage):
    """Optuna's client of a storage proxy, extended by heartbeats."""

    def __init__(self, place: Place, address: ProxyAddress) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            super().__init__(host=address.host, port=address.port)
        self.place = place

    def record_first_heartbeat(self, trial_id: int) -> None:
        self._call(BEAT, trial_id)

    def record_heartbeat(self, trial_id: int) -> None:
        with contextlib.suppress(grpc.RpcError):
            self._call(BEAT, trial_id)

    def _get_stale_trial_ids(self, study_id: int) -> list[int]:
        stale: list[int] = self._call(STALE, study_id)
        return stale

    def get_heartbeat_interval(self) -> int:
        return HEARTBEAT_SECONDS

    def get_heartbeat_stale_trial_callback(self) -> None:
        return None

    def _call(self, name: str, argument: object) -> Any:
        """Makes an additional call to the proxy and returns its result."""
        call = self._channel.unary_unary(
            f"/{SERVICE}/{name}", request_serializer=encode, response_deserializer=decode
        )
        (result,) = call([argument], timeout=_CALL_SECONDS)
        return result


with_retries(wrap_operations(_ProxiedStorage, _with_database_errors))


def require_proxy(url: str) -> None:
    """Checks that ``nas serve-storage`` answers at ``url``.

    Raises InputError if ``url`` is not a proxy's URL, DatabaseError if there is no answer.
    """
    open_proxy(url).close()


def open_proxy(url: str) -> GrpcStorageProxy:
    """Opens the storage behind the proxy at ``url``; raises errors as ``require_proxy`` does."""
    place = Place.of_url(url)
    storage = _ProxiedStorage(place, ProxyAddress.parse(url))
    try:
        about = storage._call(ABOUT, None)
    except grpc.RpcError as error:
        storage.close()
        if error.code() is grpc.StatusCode.UNIMPLEMENTED:
            raise DatabaseError(
                f"{place.shown}: Optuna's own proxy, which keeps no heartbeats; begin "
                "`nas serve-storage` in its place"
            ) from None
        raise DatabaseError(
            f"{place.shown}: no storage proxy answers ({error.details()}); begin one by "
            "`nas serve-storage`, or check the address"
        ) from None
    own_version = version("optuna")
    if _major_version(about["optuna"]) != _major_version(own_version):
        raise DatabaseError(
            f"{place.shown}: the proxy has Optuna {about['optuna']}, this machine {own_version}; "
            "install the same"
        )
    return storage


def _major_version(release: str) -> str:
    """Returns the major version; releases that share it have compatible protocols."""
    return release.partition(".")[0]


@contextlib.contextmanager
def proxy_lock(url: str) -> Iterator[None]:
    """Holds an exclusive lock on the proxy's database, also against processes without a proxy.

    The proxy releases the lock if this process ends. Raises UnreachableError if the proxy does not
    answer.
    """
    place, address = Place.of_url(url), ProxyAddress.parse(url)
    with grpc.insecure_channel(str(address)) as channel:
        hold = channel.unary_stream(f"/{SERVICE}/{HOLD}")
        try:
            stream = hold(b"")
            while next(stream) != HELD:
                time.sleep(_POLL_SECONDS * random.uniform(0.5, 1.5))
                stream = hold(b"")
        except grpc.RpcError as error:
            raise _database_error(place, error) from None
        try:
            yield
        finally:
            stream.cancel()


def _database_error(place: Place, error: grpc.RpcError) -> DatabaseError:
    """Returns the DatabaseError for a failed call; an UnreachableError if it can be retried."""
    failure = place.failure(error.details() or str(error.code()))
    transient_codes = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
    return UnreachableError(str(failure)) if error.code() in transient_codes else failure
